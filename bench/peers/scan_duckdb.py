#!/usr/bin/env python3
"""Times DuckDB's scans of an export beside those of the same rows written by pyarrow.

usage: scan_duckdb.py OURS THEIRS [--threads N]
OURS is a table or a folder of Parquet files with columns id, title, doc and vec. THEIRS is made if it is not there. One JSON
object: medians of nine rounds, warm, in which both take turns; ratios above 1 mean that ours is slower.
"""
import argparse
import resource

import duckdb

import scan

QUERIES = {
    "count": "SELECT count(*), sum(id % 7) FROM {t}",
    "group by": "SELECT substr(doc, 1, 14) AS g, count(*), min(title), max(length(title)) FROM {t} GROUP BY 1 ORDER BY 1",
    "avg of vectors": "SELECT avg(list_sum(vec)), avg(vec[1]), max(len(vec)) FROM {t}",
    "top-k": "SELECT id FROM {t} ORDER BY list_inner_product(vec, {q}) DESC, id LIMIT 10",
    "filter": "SELECT count(*), sum(list_sum(vec)) FROM {t} WHERE title LIKE '%amber%'",
}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("ours"); ap.add_argument("theirs"); ap.add_argument("--threads", type=int, default=1)
    o = ap.parse_args()
    scan.rewrite(o.ours, o.theirs)
    con = duckdb.connect(config={"threads": str(o.threads)})
    tables = {name: "read_parquet([%s])" % ", ".join("'%s'" % f for f in scan.files(folder)) for name, folder in (("ours", o.ours), ("pyarrow", o.theirs))}
    (dim,) = con.execute("SELECT len(vec) FROM %s LIMIT 1" % tables["ours"]).fetchone()
    q = "CAST([%s] AS FLOAT[])" % ", ".join(str((i % 13) - 6) for i in range(dim))

    def cpu():
        u = resource.getrusage(resource.RUSAGE_SELF)
        return u.ru_utime + u.ru_stime

    scan.measure("duckdb " + duckdb.__version__, QUERIES, lambda query, table: con.execute(query.format(t=tables[table], q=q)).fetchall(), cpu)


if __name__ == "__main__":
    main()

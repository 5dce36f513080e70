#!/usr/bin/env python3
"""Times Spark's scans of an export beside those of the same rows written by pyarrow, both read as plain Parquet.

usage: scan_spark.py OURS THEIRS [--threads N] [--no-nested]
OURS is a table or a folder of Parquet files with columns id, title, doc and vec. THEIRS is made if it is not there. One JSON
object: medians of nine rounds, warm, in which both take turns; ratios above 1 mean that ours is slower.
"""
import argparse

import pyspark
from pyspark.sql import SparkSession

import scan

QUERIES = {
    "count": "SELECT count(*), sum(id % 7) FROM {t}",
    "group by": "SELECT substr(doc, 1, 14) AS g, count(*), min(title), max(length(title)) FROM {t} GROUP BY 1 ORDER BY 1",
    "avg of vectors": "SELECT avg(aggregate(vec, 0D, (a, x) -> a + x)), avg(vec[0]), max(size(vec)) FROM {t}",
    "top-k": "SELECT id FROM {t} ORDER BY aggregate(zip_with(vec, {q}, (a, b) -> a * b), 0D, (a, x) -> a + x) DESC, id LIMIT 10",
    "filter": "SELECT count(*), sum(aggregate(vec, 0D, (a, x) -> a + x)) FROM {t} WHERE title LIKE '%amber%'",
}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("ours"); ap.add_argument("theirs"); ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--no-nested", action="store_true", help="lists are not read in batches")
    o = ap.parse_args()
    scan.rewrite(o.ours, o.theirs)
    spark = (SparkSession.builder.master("local[%d]" % o.threads).appName("scan")
             .config("spark.driver.memory", "2g").config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").config("spark.sql.shuffle.partitions", "1")
             .config("spark.sql.parquet.enableNestedColumnVectorizedReader", str(not o.no_nested).lower()).getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    for name, folder in (("ours", o.ours), ("pyarrow", o.theirs)):
        spark.read.parquet(*scan.files(folder)).createOrReplaceTempView(name)
    (dim,) = spark.sql("SELECT size(vec) FROM ours LIMIT 1").first()
    q = "array(%s)" % ", ".join("%dF" % ((i % 13) - 6) for i in range(dim))
    bean = spark._jvm.java.lang.management.ManagementFactory.getOperatingSystemMXBean()
    java = bean.getClass().getMethod("getProcessCpuTime", None)
    java.setAccessible(True)

    scan.measure("spark " + pyspark.__version__ + (" without" if o.no_nested else " with") + " nested vectorised reader", QUERIES,
                 lambda query, table: spark.sql(query.format(t=table, q=q)).collect(), lambda: java.invoke(bean, None) / 1e9)
    spark.stop()


if __name__ == "__main__":
    main()

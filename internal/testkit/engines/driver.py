"""usage: driver.py ENGINE < requests > answers

Reads tables with one engine (spark, duckdb, pyiceberg, pyarrow) for as long as standard input is open: a request is one line
of JSON, its answer another. The first line of input is the engine's settings, the first answer says that it is ready.
Requests name a table (URI of an Iceberg table's root, or a name in a catalog) and an op:
  compare  {"truth": FILE, "ignore": [...], "json": [...], "bits": true}  -> {"truth", "rows", "equal", "problems"}
  rows     {"out": FILE}       canonical JSON lines         -> {"rows"}
  query    {"sql": "... t"}    the table is `t`             -> {"columns", "rows"}
  schema   {}                                               -> {"columns": [[name, type], ...]}
and optionally "ref" (a tag or branch), "data" (true: its data/ folder as plain Parquet), "where" (column, from, to: rows of which it is at least from and
less than to), "s3" (endpoint and keys) and "conf"
(settings of the engine, such as a catalog's). An answer with "error" says why there is none.
"""
import importlib
import json
import os
import sys
import time
import traceback

import canon
import compare


def serve(engine, request):
    engine.configure(request.get("s3"), request.get("conf") or {})
    op, where = request["op"], (request["table"], request.get("ref"), bool(request.get("data")))
    if op == "query":
        table = engine.query(*where, request["sql"])
        return {"columns": table.column_names, "rows": [list(r.values()) for r in canon.rows(table)]}
    table = engine.read(*where, request.get("columns"), request.get("where"))
    if op == "compare":
        return compare.compare(table, compare.read_truth(request["truth"]),
                               request.get("ignore") or (), request.get("json") or (), bits=bool(request.get("bits")))
    if op == "rows":
        with open(request["out"], "w", encoding="utf-8") as f:
            for row in canon.rows(table):
                f.write(canon.text(row) + "\n")
        return {"rows": table.num_rows}
    if op == "schema":
        return {"columns": [[f.name, str(f.type)] for f in table.schema]}
    raise ValueError("no such op: %s" % op)


def answer(out, value):
    out.write(json.dumps(value) + "\n")
    out.flush()


def main():
    # What libraries print belongs on standard error; answers get a descriptor of their own.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline())
    start = time.monotonic()
    engine = importlib.import_module("with_" + sys.argv[1]).Engine(settings)
    answer(out, {"ready": engine.version, "seconds": round(time.monotonic() - start, 2)})
    for line in sys.stdin:
        start = time.monotonic()
        try:
            reply = serve(engine, json.loads(line))
        except Exception as e:  # an engine's failure is an answer, not the end
            reply = {"error": "%s: %s" % (type(e).__name__, e), "trace": traceback.format_exc()}
        reply["seconds"] = round(time.monotonic() - start, 3)
        answer(out, reply)
    engine.close()


if __name__ == "__main__":
    main()

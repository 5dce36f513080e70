"""usage: check_forms.py TABLE TRUTH

Holds the bytes of dense vectors in the Parquet files of TABLE/data against what numpy makes of the values in TRUTH, guided by
nothing but the files' own milvus.vector-encodings. Prints how many vectors it compared.
"""
import base64
import glob
import json
import sys

import numpy
import pyarrow.parquet as pq

table, truth = sys.argv[1:]
want = {row["id"]: row for row in map(json.loads, open(truth, encoding="utf-8"))}
compared = 0


def stored(encoding, values):
    element = encoding["element"]
    if element == "bit":
        return base64.b64decode(values)
    values = numpy.array([float(v) for v in values], "<f4")
    if element == "bfloat16":
        return (values.view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype({"float32": "<f4", "float16": "<f2", "int8": "i1"}[element]).tobytes()


def check(what, encoding, have, values):
    global compared
    if values is None:
        assert have is None, what
    elif isinstance(values, list) and values and isinstance(values[0], (list, str)) and isinstance(have, list):
        assert len(values) == len(have), what
        for h, v in zip(have, values):
            check(what, encoding, h, v)
    elif isinstance(have, list):
        assert have == values == [], what
    else:
        assert len(have) == encoding["bytes"], what
        assert have == stored(encoding, values), (what, have, values)
        compared += 1


for path in glob.glob(table + "/data/*.parquet"):
    rows = pq.read_table(path)
    encodings = json.loads(rows.schema.metadata[b"milvus.vector-encodings"])
    for row in rows.to_pylist():
        for name, encoding in encodings.items():
            column, _, member = name.partition(".element.")
            if column.startswith("nan_"):
                continue  # their truth is not values
            have, values = row[column], want[row["id"]][column]
            if member:
                have = have and [h[member] for h in have]
                values = values and [v[member] for v in values]
            check((row["id"], name), encoding, have, values)
print(compared)

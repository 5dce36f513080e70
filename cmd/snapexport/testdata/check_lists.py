"""usage: check_lists.py DIR TRUTH

Holds the types of vectors in the Parquet files of DIR, as pyarrow reads them, and their values, against the rows of TRUTH.
"""
import glob
import json
import math
import sys

import pyarrow.parquet as pq

folder, truth = sys.argv[1:]
want = {row["id"]: row for row in map(json.loads, open(truth, encoding="utf-8"))}
TYPES = {
    "float_10": "fixed_size_list<element: float not null>[10]",
    "float16_10_null": "fixed_size_list<element: float>[10]",
    "bfloat16_1": "fixed_size_list<element: float not null>[1]",
    "int8_10": "fixed_size_list<element: int32 not null>[10]",
    "binary_8": "binary",
    "list_floatvector": "list<element: fixed_size_list<element: float not null>[3] not null>",
    "list_int8vector_null": "list<element: fixed_size_list<element: int32 not null>[3] not null>",
}


def same(have, values):
    if isinstance(values, list):
        return have is not None and len(have) == len(values) and all(map(same, have, values))
    if isinstance(values, dict):
        return all(same(have[k], v) for k, v in values.items() if k == "embedding")
    if values is None or have is None:
        return have is values
    values = float(values)
    return math.isnan(have) and math.isnan(values) or have == values and math.copysign(1, have) == math.copysign(1, values)


for path in glob.glob(folder + "/*.parquet"):
    rows = pq.read_table(path)
    for name, want_type in TYPES.items():
        assert str(rows.schema.field(name).type) == want_type, rows.schema.field(name)
    member = rows.schema.field("clips").type.value_type.field("embedding")
    assert str(member.type) == "fixed_size_list<element: float not null>[3]", member
    assert all("BYTE_ARRAY" != c.physical_type for c in pq.ParquetFile(path).schema if c.path.startswith("float_10."))
    for row in rows.to_pylist():
        for name in [*TYPES, "float_1_null", "bfloat16_10", "clips", "clips_null"]:
            if name != "binary_8":
                assert same(row[name], want[row["id"]][name]), (name, row["id"], row[name])

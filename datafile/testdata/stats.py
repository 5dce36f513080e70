"""usage: stats.py FILE STATS.json: our numbers are those that pyiceberg takes from the footer and pyarrow from the values."""
import base64
import json
import math
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.io.pyarrow import (compute_statistics_plan, data_file_statistics_from_parquet_metadata, parquet_path_to_id_mapping,
                                  pyarrow_to_schema)

path, ours = sys.argv[1], json.load(open(sys.argv[2]))
meta, table = pq.read_metadata(path), pq.read_table(path)
schema = pyarrow_to_schema(pq.read_schema(path))
theirs = data_file_statistics_from_parquet_metadata(
    meta, compute_statistics_plan(schema, {}), parquet_path_to_id_mapping(schema))

assert ours["rows"] == theirs.record_count == table.num_rows
assert ours["bytes"] == len(open(path, "rb").read())
assert (ours["split_offsets"] or []) == theirs.split_offsets, (ours["split_offsets"], theirs.split_offsets)
fields = {f["id"]: f for f in ours["fields"]}
assert {i: f["bytes"] for i, f in fields.items()} == theirs.column_sizes, theirs.column_sizes
compared = 0
for field in schema.fields:
    if field.field_id not in fields or not field.field_type.is_primitive:
        continue
    f, column = fields[field.field_id], table[field.name]
    values = column.to_pylist()
    assert f["values"] == len(values) and f["nulls"] == column.null_count, (field.name, f)
    floating = pa.types.is_floating(column.type)
    assert f["nans"] == (sum(v is not None and math.isnan(v) for v in values) if floating else -1), (field.name, f)
    if f["lower"] is None:
        continue
    low, high = (None if f[k] is None else base64.b64decode(f[k]) for k in ("lower", "upper"))
    real = [v for v in values if v is not None and v == v]
    # The bounds hold for every value (whatever the footer says) ...
    if isinstance(real[0], (str, bytes)):
        raw = [v.encode() if isinstance(v, str) else v for v in real]
        assert low <= min(raw) and (high is None or max(raw) <= high), (field.name, low, high)
    elif pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        assert from_bytes(field.field_type, low) == min(real) and from_bytes(field.field_type, high) == max(real), (field.name, f)
    # ... and are byte for byte those of pyiceberg, but for zeros, whose sign is ours.
    t = theirs.to_serialized_dict()
    if field.field_id in t["lower_bounds"] and not floating:
        assert (low, high) == (t["lower_bounds"][field.field_id], t["upper_bounds"][field.field_id]), (field.name, low, high, t)
        compared += 1
print(compared)

"""extremes.py METADATA REPORT: what `verify --json --norms` reports of each column is what pyarrow finds in the table."""
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import StaticTable

table = StaticTable.from_metadata(sys.argv[1]).scan().to_arrow()
columns = json.loads(sys.argv[2])["columns"]
assert [c["name"] for c in columns] == table.column_names, table.column_names


def same(shown, value):
    if isinstance(value, str):
        cut = shown.endswith('..."') or shown.endswith('"...')
        text = json.loads(shown[:-3] if cut else shown)
        return value.startswith(text) if cut else value == text
    if isinstance(value, bool):
        return shown == str(value).lower()
    return float(shown) == value if isinstance(value, float) else int(shown) == value


for c in columns:
    values = table[c["name"]].combine_chunks()
    assert c["snapshot"] == c["found"], c
    assert c["found"]["nulls"] == values.null_count, c
    kind, live = values.type, values.drop_null()
    if "dim" in c["found"]:
        sizes = pc.binary_length(live) if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else pc.list_value_length(live)
        bits = 1 if pa.types.is_list(kind) or pa.types.is_large_list(kind) else 8
        assert {int(c["found"]["dim"])} == {bits * n for n in sizes.to_pylist()}, c
    if "dim" in c["found"] and "min" in c["found"]:
        norms = np.linalg.norm(np.array(live.to_pylist(), dtype=np.float64), axis=1)
        assert np.isclose(float(c["found"]["min"]), norms.min()) and np.isclose(float(c["found"]["max"]), norms.max()), c
    elif "min" in c["found"]:
        extremes = pc.min_max(live).as_py()
        assert same(c["found"]["min"], extremes["min"]) and same(c["found"]["max"], extremes["max"]), (c, extremes)
    elif len(live) and not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        assert pa.types.is_string(kind) or pa.types.is_large_string(kind), c  # JSON, of which no order is worth showing
        json.loads(live[0].as_py())
print(len(columns))

"""usage: equal.py FILE FILE [FILE FILE ...]: the files of each pair hold the same rows, as pyarrow and DuckDB read them."""
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

names = sys.argv[1:]
rows = 0
for ours, theirs in zip(names[::2], names[1::2]):
    a, b = (pq.ParquetFile(n, page_checksum_verification=True).read() for n in (ours, theirs))
    assert a.schema.equals(b.schema, check_metadata=True), (ours, a.schema, b.schema)
    a.validate(full=True)
    # NaN is not equal to itself: texts are
    if not a.equals(b):
        for name in a.column_names:
            x, y = a[name].to_pylist(), b[name].to_pylist()
            for i, (v, w) in enumerate(zip(x, y)):
                assert repr(v) == repr(w), (ours, name, i, v, w)
    assert a.num_rows == b.num_rows
    rows += a.num_rows
    x, y = (duckdb.sql("select * from read_parquet('%s')" % n).fetchall() for n in (ours, theirs))
    assert repr(x) == repr(y), ours
print(rows)

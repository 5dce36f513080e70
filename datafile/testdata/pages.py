"""usage: pages.py FILE: vectors of 256 whose values tell row and place; every one is where it belongs."""
import array
import sys

import pyarrow.parquet as pq

table = pq.read_table(sys.argv[1])
places = [j / 256 for j in range(256)]
row = 0
for ids, vectors in zip(table["id"].chunks, table["v"].chunks):
    for i, v in zip(ids.to_pylist(), vectors.to_pylist()):
        assert i == row, (i, row)
        assert array.array("f", v) == array.array("f", [i + p for p in places]), i
        row += 1
print("ok", row)

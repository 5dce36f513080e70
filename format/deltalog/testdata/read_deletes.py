"""Decode every deltalog of a folder with struct and pyarrow alone; print {file: [[pk, ts], ...]} as JSON."""
import io
import json
import os
import struct
import sys

import pyarrow.parquet as pq


def payload(b):
    magic, = struct.unpack_from('<I', b, 0)
    assert magic == 0x00FFFABC, magic
    n, = struct.unpack_from('<i', b, 81)
    extras = json.loads(b[85:85 + n])
    int(extras['original_size'])
    at = 85 + n
    kind, length = struct.unpack_from('<bi', b, at + 8)
    assert kind == 2 and at + length == len(b), (kind, length, len(b))
    return b[at + 33:]


def deletes(b):
    v1 = not b.startswith(b'PAR1')
    f = pq.ParquetFile(io.BytesIO(payload(b) if v1 else b))
    assert f.metadata.num_row_groups <= 1
    columns = [f.read_row_groups(range(f.metadata.num_row_groups)).column(i).to_pylist() for i in range(f.metadata.num_columns)]
    if len(columns) == 2:
        return [[pk, ts % 2**64] for pk, ts in zip(*columns)]
    rows = []
    for cell in columns[0]:
        if cell.startswith('{'):
            d = json.loads(cell)
            assert list(d) == ['pk', 'ts', 'pkType'] and d['pkType'] == (5 if isinstance(d['pk'], int) else 21)
            rows.append([d['pk'], d['ts']])
        else:
            rows.append([int(v) for v in cell.split(',')])
    return rows


folder = sys.argv[1]
out = {}
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), 'rb') as f:
        out[name] = deletes(f.read())
json.dump(out, sys.stdout)

"""Decode every insert log of a folder with struct and pyarrow alone; print per file what it is and its values, as JSON.

Bytes are base64, floats are their bits, so that nothing is lost on the way.
"""
import base64
import io
import json
import os
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def plain(v, t):
    if v is None:
        return None
    if isinstance(v, list):
        return [plain(x, t) for x in v]
    if isinstance(v, str):
        v = v.encode()
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if t == pa.float32():
        return struct.unpack('<I', struct.pack('<f', v))[0] if v == v else 'NaN'
    if t == pa.float64():
        return struct.unpack('<Q', struct.pack('<d', v))[0] if v == v else 'NaN'
    return v


def describe(b):
    magic, ts, kind, length, nxt = struct.unpack_from('<IQbii', b, 0)
    assert magic == 0x00FFFABC and kind == 0
    collection, partition, segment, field, start, end, data_type = struct.unpack_from('<qqqqQQi', b, 21)
    assert b[73:81] == bytes([52] + [16] * 7)
    n, = struct.unpack_from('<i', b, 81)
    assert length == 81 + n and nxt == 4 + length
    extras = json.loads(b[85:85 + n])
    at = 85 + n
    ets, kind, length, nxt, estart, eend = struct.unpack_from('<QbiiQQ', b, at)
    assert kind == 1 and at + length == len(b) and ets == ts
    f = pq.ParquetFile(io.BytesIO(b[at + 33:]))
    column = f.schema.column(0)
    assert len(f.schema.names) == 1 and f.metadata.num_row_groups == 1
    chunk = f.metadata.row_group(0).column(0)
    values = f.read().column(0)
    return {
        'collection': collection, 'partition': partition, 'segment': segment, 'field': field, 'start': start, 'end': end, 'type': data_type,
        'extras': extras, 'next': 'end' if nxt == len(b) else nxt, 'event': [estart, eend],
        'column': f.schema_arrow.field(0).name, 'physical': column.physical_type, 'length': column.length or 0, 'logical': str(column.logical_type),
        'optional': f.schema_arrow.field(0).nullable, 'max_definition': column.max_definition_level,
        'codec': chunk.compression, 'dictionary': chunk.has_dictionary_page,
        'arrow_schema': bool(f.metadata.metadata and b'ARROW:schema' in f.metadata.metadata),
        'field_metadata': {k.decode(): v.decode() for k, v in (f.schema_arrow.field(0).metadata or {}).items()},
        'values': [plain(v, values.type) for v in values.to_pylist()],
    }


folder = sys.argv[1]
out = {}
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), 'rb') as f:
        out[name] = describe(f.read())
json.dump(out, sys.stdout)

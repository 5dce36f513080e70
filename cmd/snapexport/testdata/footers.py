"""Print, for every Parquet file below the folders given, its key-values and the leaves and nested fields with their field ids, as JSON.

usage: footers.py DIR...      prints [{"file", "created_by", "key_values": {..}, "fields": {"path": id or null}, "leaves": [ids]}]
"""
import glob, json, os, sys

import pyarrow as pa
import pyarrow.parquet as pq


def walk(field, path, out):
    path = path + [field.name]
    ident = (field.metadata or {}).get(b'PARQUET:field_id')
    out['.'.join(path)] = int(ident) if ident is not None else None
    kind = field.type
    if pa.types.is_map(kind):
        children = [kind.key_field, kind.item_field]
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        children = [kind.value_field]
    elif pa.types.is_struct(kind):
        children = [kind.field(i) for i in range(kind.num_fields)]
    else:
        children = []
    for child in children:
        walk(child, path, out)


result = []
for folder in sys.argv[1:]:
    for name in sorted(glob.glob(os.path.join(folder, '**', '*.parquet'), recursive=True)):
        meta = pq.read_metadata(name)
        fields = {}
        for field in pq.read_schema(name):
            walk(field, [], fields)
        values = {k.decode(): v.decode(errors='replace') for k, v in (meta.metadata or {}).items()}
        result.append({'file': name, 'created_by': meta.created_by, 'key_values': values, 'fields': fields, 'columns': meta.num_columns})
json.dump(result, sys.stdout)

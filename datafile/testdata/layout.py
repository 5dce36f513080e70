"""usage: layout.py FILE: how a Parquet file is laid out, as pyarrow sees it."""
import sys

import pyarrow.parquet as pq

file = pq.ParquetFile(sys.argv[1])
meta = file.metadata
print("created by", meta.created_by)
print("key-values", {k.decode(): v.decode() for k, v in sorted((meta.metadata or {}).items())})
print(str(meta.schema).split("\n", 1)[1])


def node(f, depth=0):
    print("  " * depth + "%s: %s%s id=%s" % (f.name, f.type if f.type.num_fields == 0 else f.type.id, "" if f.nullable else " not null",
                                             (f.metadata or {}).get(b"PARQUET:field_id", b"-").decode()))
    for i in range(f.type.num_fields):
        node(f.type.field(i), depth + 1)


for f in file.schema_arrow:
    node(f)
group = meta.row_group(0)
for i in range(group.num_columns):
    c = group.column(i)
    print(c.path_in_schema, c.compression, ",".join(sorted(c.encodings)), "statistics" if c.is_stats_set else "-")

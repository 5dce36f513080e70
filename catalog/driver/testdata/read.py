"""Reads a table of {id, vec} through pyiceberg's own catalog: read.py packages namespace.table key=value..."""
import sys

sys.path.append(sys.argv[1])

from pyiceberg.catalog import load_catalog  # noqa: E402

table = load_catalog("lake", **dict(arg.split("=", 1) for arg in sys.argv[3:])).load_table(sys.argv[2])
rows = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])
print(" ".join(f"{row['id']}:{','.join(map(str, row['vec']))}" for row in rows))

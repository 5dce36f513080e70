"""nightly.py URI METADATA: the table's rows are what the server answers now. Then some rows are added and one is deleted."""
import sys

from pyiceberg.table import StaticTable
from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
served = {r["id"]: list(r["vector"]) for r in client.query("docs", filter="id >= 0", output_fields=["vector"])}
found = StaticTable.from_metadata(sys.argv[2]).scan(selected_fields=("id", "vector")).to_arrow().to_pylist()
assert len(found) == len(served) and {r["id"]: r["vector"] for r in found} == served, (found, served)

last = max(served)
client.insert("docs", [{"id": i, "vector": [i, -i]} for i in range(last + 1, last + 4)])
client.delete("docs", ids=[min(served)])
print("ok")

"""The collection that the guide's page about the server begins with: guidepage.py URI."""
import sys

from pymilvus import MilvusClient

client = MilvusClient(uri=sys.argv[1])
client.create_collection("my_collection", dimension=4)
client.insert("my_collection", [{"id": i, "vector": [i, i, 0, 1], "title": f"Title {i}"} for i in range(100)])
client.delete("my_collection", ids=[3])
print("ok")

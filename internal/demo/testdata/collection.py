"""Makes my_collection, of which the README takes a snapshot: collection.py ADDRESS."""
import sys

from pymilvus import MilvusClient

client = MilvusClient(uri="http://" + sys.argv[1])
client.create_collection("my_collection", dimension=2)
client.insert("my_collection", [{"id": i, "vector": [i, i]} for i in range(10)])

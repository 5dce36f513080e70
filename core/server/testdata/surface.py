"""What else clients do: databases, aliases, partitions, dynamic fields, keys, indexes, searches: surface.py URI."""
import logging
import sys
import time

from pymilvus import DataType, MilvusClient

logging.disable(logging.CRITICAL)
uri = sys.argv[1]
client = MilvusClient(uri=uri)


def fails(text, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as e:
        assert text in str(e), f"{e!s}, want {text}"
        return e
    raise AssertionError(f"no error, want {text}")


# ---- the quick form, a dynamic field, its keys in filters and outputs
client.create_collection("quick", dimension=4)
assert client.get_load_state("quick")["state"].name == "Loaded"
client.insert("quick", [{"id": i, "vector": [float(i), 0, 0, 1], "color": "red" if i % 2 else "blue", "n": i} for i in range(20)])
found = client.query("quick", filter='color == "red" and n < 6', output_fields=["color"])
assert [r["id"] for r in found] == [1, 3, 5] and found[0] == {"id": 1, "color": "red"}, found
assert client.query("quick", filter="id == 3", output_fields=["*"])[0] == {"id": 3, "vector": [3, 0, 0, 1], "color": "red", "n": 3}
assert client.query("quick", filter="id == 3", output_fields=["n", "vector"])[0] == {"id": 3, "vector": [3, 0, 0, 1], "n": 3}
assert client.query("quick", filter="id == 3")[0]["id"] == 3
assert client.get("quick", ids=[4, 2, 99])[0]["id"] == 2
assert [r["id"] for r in client.query("quick", filter="id >= 0", limit=3, offset=5, output_fields=["id"])] == [5, 6, 7]
assert [r["id"] for r in client.query("quick", filter="id in {ids} and color == {c}", filter_params={"ids": [1, 2, 3, 4], "c": "blue"}, output_fields=["id"])] == [2, 4]
assert client.query("quick", output_fields=["count(*)"]) == [{"count(*)": 20}]
assert client.query("quick", filter="id > 100", output_fields=["id"]) == []
fails("invalid max query result window, (offset+limit) should be in range [1, 16384]", client.query, "quick", filter="id >= 0", limit=16384, offset=1)
fails("(offset+limit) should be in range", client.search, "quick", [[5.0, 0, 0, 1]], limit=16384, search_params={"offset": 1})
fails("topk [16385] is invalid", client.search, "quick", [[5.0, 0, 0, 1]], limit=16385)
assert len(client.query("quick", filter="id >= 0", limit=16384)) == 20
fails("empty expression should be used with limit", client.query, "quick", output_fields=["id"])
fails("cannot parse expression", client.query, "quick", filter="id >", output_fields=["id"])
assert client.delete("quick", filter="n >= {x}", filter_params={"x": 15})["delete_count"] == 5
assert client.query("quick", output_fields=["count(*)"]) == [{"count(*)": 15}]
seen, iterator = [], client.query_iterator("quick", batch_size=4, filter="id >= 0", output_fields=["id"])
while batch := iterator.next():
    seen += [r["id"] for r in batch]
assert seen == list(range(15)), seen
hits = client.search("quick", [[5.0, 0, 0, 1]], limit=2, filter='color == "red"', output_fields=["color"], search_params={"metric_type": "COSINE"})
assert [h["id"] for h in hits[0]] == [5, 7] and hits[0][0]["entity"] == {"color": "red"}, hits

# ---- a field that comes later: by another client, so that this one's idea of the schema is old
client.flush("quick")
client.create_snapshot("before", "quick")
fails("must be nullable", client.add_collection_field, "quick", "size", DataType.INT64)
fails("duplicated field name", client.add_collection_field, "quick", "vector", DataType.FLOAT_VECTOR, dim=4, nullable=True)
other = MilvusClient(uri=uri)
other.add_collection_field("quick", "size", DataType.INT32, desc="how large", nullable=True, default_value=3)
other.add_collection_field("quick", "late", DataType.VARCHAR, max_length=10, nullable=True)
client.insert("quick", [{"id": 100, "vector": [0, 0, 0, 9], "size": 8, "late": "x", "color": "new"}, {"id": 101, "vector": [0, 0, 0, 9]}])
rows = client.query("quick", filter="id in [3, 100, 101]", output_fields=["size", "late", "color"])
assert [dict(r) for r in rows] == [{"id": 3, "size": 3, "late": None, "color": "red"}, {"id": 100, "size": 8, "late": "x", "color": "new"}, {"id": 101, "size": 3, "late": None}], rows
assert [r["id"] for r in client.query("quick", filter='late == "x" and size > 3')] == [100]
client.flush("quick")
client.create_snapshot("after", "quick")
for name, fields, count in (("before", 2, 15), ("after", 4, 17)):
    job = client.restore_snapshot(name, "quick", "quick_" + name)
    while client.get_restore_snapshot_state(job).state != "RestoreSnapshotCompleted":
        time.sleep(0.02)
    shown = client.describe_collection("quick_" + name)["fields"]
    assert len(shown) == fields and shown == client.describe_collection("quick")["fields"][:fields], shown
    client.load_collection("quick_" + name)
    assert client.query("quick_" + name, output_fields=["count(*)"]) == [{"count(*)": count}]
    client.drop_collection("quick_" + name)
client.delete("quick", ids=[100, 101])
client.drop_snapshot("before", "quick")
client.drop_snapshot("after", "quick")

# ---- keys: automatic, text, upsert
schema = client.create_schema(auto_id=True)
schema.add_field("key", DataType.INT64, is_primary=True)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("automatic", schema=schema)
keys = client.insert("automatic", [{"v": [1, 2]}, {"v": [3, 4]}])["ids"]
assert len(set(keys)) == 2 and all(k > 0 for k in keys), keys
fails("collection not loaded", client.query, "automatic", filter="key > 0")
client.load_collection("automatic")
assert sorted(r["key"] for r in client.query("automatic", filter="key > 0")) == sorted(keys)
schema = client.create_schema(description="texts")
schema.add_field("key", DataType.VARCHAR, max_length=8, is_primary=True)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2, description="a vector")
client.create_collection("texts", schema=schema, num_shards=2, consistency_level="Bounded", properties={"mmap.enabled": "false"})
client.load_collection("texts")
client.insert("texts", [{"key": "a", "v": [1, 2]}, {"key": "b", "v": [3, 4]}])
assert client.upsert("texts", [{"key": "a", "v": [9, 9]}, {"key": "c", "v": [5, 6]}])["upsert_count"] == 2
assert [(r["key"], list(r["v"])) for r in client.query("texts", filter='key != ""', output_fields=["v"])] == [("a", [9, 9]), ("b", [3, 4]), ("c", [5, 6])]
shown = client.describe_collection("texts")
assert shown["description"] == "texts" and shown["num_shards"] == 2 and shown["consistency_level_name"] == "Bounded", shown
assert shown["properties"]["mmap.enabled"] == "false" and [f["name"] for f in shown["fields"]] == ["key", "v"], shown
client.alter_collection_properties("texts", properties={"collection.ttl.seconds": "600"})
client.drop_collection_properties("texts", property_keys=["mmap.enabled"])
p = client.describe_collection("texts")["properties"]
assert p["collection.ttl.seconds"] == "600" and "mmap.enabled" not in p, p
fails("exceeds max length", client.insert, "texts", [{"key": "123456789", "v": [1, 2]}])

# ---- indexes
index = client.prepare_index_params()
index.add_index("v", index_name="vi", index_type="FLAT", metric_type="L2")
client.create_index("texts", index)
assert client.list_indexes("texts") == ["vi"]
shown = client.describe_index("texts", "vi")
assert shown["metric_type"] == "L2" and shown["index_type"] == "FLAT" and shown["field_name"] == "v" and shown["state"] == "Finished", shown
assert client.search("texts", [[3.0, 4.0]], limit=2)[0].ids == ["b", "c"]
fails("cannot be dropped on loaded", client.drop_index, "texts", "vi")
client.release_collection("texts")
client.drop_index("texts", "vi")
assert client.list_indexes("texts") == []

# ---- partitions
client.create_partition("texts", "p1")
assert client.list_partitions("texts") == ["_default", "p1"] and client.has_partition("texts", "p1") and not client.has_partition("texts", "p2")
client.insert("texts", [{"key": "p", "v": [0, 0]}], partition_name="p1")
fails("partition not found", client.insert, "texts", [{"key": "q", "v": [0, 0]}], partition_name="p2")
client.load_partitions("texts", ["p1"])
assert [r["key"] for r in client.query("texts", filter='key != ""')] == ["p"]
fails("partition not loaded", client.query, "texts", filter='key != ""', partition_names=["_default"])
client.load_collection("texts")
assert [r["key"] for r in client.query("texts", filter='key != ""')] == ["a", "b", "c", "p"]
assert [r["key"] for r in client.query("texts", filter='key != ""', partition_names=["p1"])] == ["p"]
assert client.get_partition_stats("texts", "p1")["row_count"] == 1
fails("partition is loaded", client.drop_partition, "texts", "p1")
client.release_partitions("texts", ["p1"])
client.drop_partition("texts", "p1")
assert client.list_partitions("texts") == ["_default"]
assert client.get_load_state("texts")["state"].name == "Loaded" and client.get_load_state("nobody")["state"].name == "NotExist"
schema = client.create_schema(partition_key_field="tenant")
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("tenant", DataType.VARCHAR, max_length=20)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
client.create_collection("tenants", schema=schema, num_partitions=4)
client.load_collection("tenants")
client.insert("tenants", [{"id": i, "tenant": f"t{i % 7}", "v": [i, i]} for i in range(70)])
assert len(client.list_partitions("tenants")) == 4
assert len(client.query("tenants", filter='tenant == "t3"')) == 10

# ---- aliases
client.create_alias("texts", "alias1")
assert client.describe_alias("alias1")["collection_name"] == "texts" and client.list_aliases("texts")["aliases"] == ["alias1"]
assert client.describe_collection("alias1")["collection_name"] == "texts" and client.has_collection("alias1")
assert len(client.query("alias1", filter='key != ""')) == 3
client.flush("alias1")
client.create_snapshot("by_alias", "alias1")
assert client.describe_snapshot("by_alias", "alias1").collection_name == "texts" and client.list_snapshots("texts") == ["by_alias"]
fails("conflicts with an existing alias", client.restore_snapshot, "by_alias", "texts", "alias1")
client.alter_alias("quick", "alias1")
assert client.describe_alias("alias1")["collection_name"] == "quick"
fails("alias", client.drop_collection, "alias1")
fails("associated aliases", client.drop_collection, "quick")
client.drop_alias("alias1")
fails("alias not found", client.describe_alias, "alias1")

# ---- databases: by the request, and by the client's own (a header)
client.create_database("db1", properties={"database.max.collections": "5"})
assert client.describe_database("db1")["database.max.collections"] == "5" and sorted(client.list_databases()) == ["db1", "default"]
client.alter_database_properties("db1", {"k": "v"})
client.drop_database_properties("db1", ["database.max.collections"])
shown = client.describe_database("db1")
assert shown["k"] == "v" and "database.max.collections" not in shown, shown
inside = MilvusClient(uri=uri, db_name="db1")
assert inside.list_collections() == []
inside.create_collection("quick", dimension=2)
inside.insert("quick", [{"id": 1, "vector": [1, 2]}])
assert inside.query("quick", output_fields=["count(*)"]) == [{"count(*)": 1}] and client.query("quick", output_fields=["count(*)"]) == [{"count(*)": 15}]
inside.flush("quick")
inside.create_snapshot("in_db1", "quick")
assert inside.list_snapshots() == ["in_db1"] and client.list_snapshots() == ["by_alias"]
fails("snapshot not found", client.describe_snapshot, "in_db1", "quick")
fails("not empty", client.drop_database, "db1")
fails("database not found", client.restore_snapshot, "by_alias", "texts", "x", target_db_name="nodb")
fails("database not found", MilvusClient(uri=uri, db_name="nodb").list_collections)
inside.rename_collection("quick", "slow")
assert inside.list_collections() == ["slow"] and inside.list_snapshots("slow") == ["in_db1"]
inside.drop_collection("slow")
client.drop_database("db1")

# ---- what is not there says so
fails("not supported", client.query, "quick", filter="id > 0", order_by_fields=["id"])
fails("default database", client.drop_database, "default")
print("ok")

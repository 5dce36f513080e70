"""The user guide's flow with pymilvus: guide.py URI. Every row of the restored collection is compared with the source's."""
import logging
import random
import sys
import time

from pymilvus import DataType, MilvusClient

logging.disable(logging.CRITICAL)  # of the calls that must fail
uri = sys.argv[1]
client = MilvusClient(uri=uri, token="root:Milvus")
assert client.get_server_version().startswith("v3.0.0"), client.get_server_version()


def rows(name, fields=("*",)):
    return client.query(name, filter="id >= 0", output_fields=list(fields))


def wait(job):
    """Polls a restore to its end and returns every state seen."""
    seen = []
    for _ in range(600):
        state = client.get_restore_snapshot_state(job_id=job)
        seen.append((state.state, state.progress))
        if state.state in ("RestoreSnapshotCompleted", "RestoreSnapshotFailed"):
            return state, seen
        time.sleep(0.05)
    raise AssertionError(f"job {job} does not end: {seen[-3:]}")


def fails(text, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as e:
        assert text in str(e), f"{e!s}, want {text}"
        return e
    raise AssertionError(f"no error, want {text}")


# ---- the collection, as a user of the guide has it
schema = client.create_schema(enable_dynamic_field=True)
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("text", DataType.VARCHAR, max_length=200)
schema.add_field("vec", DataType.FLOAT_VECTOR, dim=8)
index = client.prepare_index_params()
index.add_index("vec", index_type="FLAT", metric_type="COSINE")
client.create_collection("my_collection", schema=schema, index_params=index, properties={"collection.ttl.seconds": "0"}, consistency_level="Strong", num_shards=2)
assert client.has_collection("my_collection") and not client.has_collection("nobody")
client.create_partition("my_collection", "p1")

chance = random.Random(5)


def row(i):
    out = {"id": i, "text": f"text {i} é", "vec": [chance.random() for _ in range(8)]}
    if i % 3 == 0:
        out["extra"] = {"n": i, "l": [1, None, "x"]}
    return out


assert client.insert("my_collection", [row(i) for i in range(1000)])["insert_count"] == 1000
assert client.insert("my_collection", [row(i) for i in range(1000, 1200)], partition_name="p1")["insert_count"] == 200
client.flush(collection_name="my_collection")
assert client.delete("my_collection", ids=list(range(100, 150)))["delete_count"] == 50
client.delete("my_collection", filter="id in [5, 1100]")
client.upsert("my_collection", [dict(row(7), text="again")])
client.flush(collection_name="my_collection")
before = rows("my_collection")
assert len(before) == 1148, len(before)
assert {r["id"]: r for r in before}[7]["text"] == "again"
assert {r["id"]: r for r in before}[9]["extra"] == {"n": 9, "l": [1, None, "x"]}

# ---- snapshots
client.create_snapshot(collection_name="my_collection", snapshot_name="backup_20240101", description="Daily backup for January 1st, 2024")
fails("already exists", client.create_snapshot, "backup_20240101", "my_collection")
fails("snapshot name can only contain", client.create_snapshot, "a b", "my_collection")
fails("collection not found", client.create_snapshot, "s", "nobody")
fails("must not exceed", client.create_snapshot, "s", "my_collection", compaction_protection_seconds=604801)
client.create_snapshot(collection_name="my_collection", snapshot_name="v2.1_production_release")
assert sorted(client.list_snapshots(collection_name="my_collection")) == ["backup_20240101", "v2.1_production_release"]
info = client.describe_snapshot(snapshot_name="backup_20240101", collection_name="my_collection")
assert info.name == "backup_20240101" and info.collection_name == "my_collection" and info.description.startswith("Daily backup"), info
assert sorted(info.partition_names) == ["_default", "p1"], info
assert "/tables/" in info.s3_location, info
assert abs(time.time() * 1000 - (info.create_ts >> 18)) < 60_000, info

# ---- life goes on: none of this may be in the snapshot
client.insert("my_collection", [row(i) for i in range(5000, 5100)])
client.delete("my_collection", filter="id < 50")
client.flush("my_collection")
client.compact("my_collection")
assert client.query("my_collection", output_fields=["count(*)"])[0]["count(*)"] == 1148 + 100 - 49

# ---- restore
job = client.restore_snapshot(snapshot_name="backup_20240101", source_collection_name="my_collection", target_collection_name="restored_collection")
fails("duplicate collection", client.restore_snapshot, "backup_20240101", "my_collection", "restored_collection")
fails("not found", client.restore_snapshot, "nosuch", "my_collection", "other")
state, seen = wait(job)
assert state.state == "RestoreSnapshotCompleted" and state.progress == 100, state
assert [p for _, p in seen] == sorted(p for _, p in seen), seen
assert state.start_time > 0 and state.time_cost > 0 and state.collection_name == "restored_collection", state
assert job in [j.job_id for j in client.list_restore_snapshot_jobs()]
assert job in [j.job_id for j in client.list_restore_snapshot_jobs(collection_name="restored_collection")]
fails("restore job not found", client.get_restore_snapshot_state, job_id=123)
fails("collection not loaded", rows, "restored_collection")
client.load_collection("restored_collection")
after = rows("restored_collection")
assert len(after) == len(before), (len(after), len(before))
for a, b in zip(after, before):
    assert a == b, (a, b)
assert [r["id"] for r in client.query("restored_collection", filter="id > 0", output_fields=["id"], partition_names=["p1"])] == [i for i in range(1000, 1200) if i != 1100]

source, target = client.describe_collection("my_collection"), client.describe_collection("restored_collection")
for key in ("collection_name", "collection_id", "created_timestamp", "update_timestamp", "aliases"):
    source.pop(key, None), target.pop(key, None)
assert source == target, (source, target)
assert client.describe_index("restored_collection", "vec")["metric_type"] == "COSINE"
hits = client.search("restored_collection", [before[0]["vec"]], anns_field="vec", limit=3, output_fields=["text", "extra"])
assert hits[0][0]["id"] == before[0]["id"] and abs(hits[0][0]["distance"] - 1) < 1e-5, hits
assert hits[0][0]["entity"]["text"] == before[0]["text"]

# the restored collection lives
client.insert("restored_collection", [row(9999)])
client.delete("restored_collection", ids=[before[0]["id"]])
client.flush("restored_collection")
assert len(rows("restored_collection")) == len(before)

# ---- pins and drops
pin = client.pin_snapshot_data("backup_20240101", "my_collection", ttl_seconds=60)
fails("active pins exist", client.drop_snapshot, "backup_20240101", "my_collection")
client.unpin_snapshot_data(pin)
client.drop_snapshot(snapshot_name="backup_20240101", collection_name="my_collection")
client.drop_snapshot(snapshot_name="backup_20240101", collection_name="my_collection")
fails("snapshot not found", client.describe_snapshot, "backup_20240101", "my_collection")
assert client.list_snapshots("my_collection") == ["v2.1_production_release"]
client.drop_collection("my_collection")
assert not client.has_collection("my_collection")
assert client.list_collections() == ["restored_collection"]
client.drop_collection("restored_collection")
print("ok")

"""The snapshot guide's lines through the package snapexport: wheel.py make|restore|errors|drop URI [TRUTH]."""
import inspect
import json
import logging
import sys

import pymilvus
import snapexport
from snapexport import MilvusClient

logging.disable(logging.CRITICAL)  # of the calls that must fail
phase, uri = sys.argv[1:3]


def rows(client, name):
    return client.query(name, filter="id >= 0", output_fields=["*"])


def fails(text, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except pymilvus.MilvusException as e:
        assert text in str(e), f"{e!s}, want {text}"
        return
    raise AssertionError(f"no error, want {text}")


def make():
    client = MilvusClient(
        uri=uri,
        token="root:Milvus"
    )
    schema = client.create_schema()
    schema.add_field("id", pymilvus.DataType.INT64, is_primary=True)
    schema.add_field("title", pymilvus.DataType.VARCHAR, max_length=200)
    schema.add_field("price", pymilvus.DataType.DOUBLE, nullable=True)
    schema.add_field("vec", pymilvus.DataType.FLOAT_VECTOR, dim=4)
    index = client.prepare_index_params()
    index.add_index("vec", index_type="FLAT", metric_type="L2")
    client.create_collection("my_collection", schema=schema, index_params=index, consistency_level="Strong", num_shards=2)
    client.create_partition("my_collection", "archive")
    for partition, first, last in (("_default", 0, 300), ("archive", 300, 400)):
        client.insert("my_collection", [{"id": i, "title": f"Title {i} é", "price": i / 4 if i % 5 else None, "vec": [i, i / 2, -i, 0.1]}
                                        for i in range(first, last)], partition_name=partition)
        client.flush("my_collection")
    client.delete("my_collection", filter="id in [7, 301]")
    client.upsert("my_collection", [{"id": 9, "title": "again", "price": 1.0, "vec": [1, 2, 3, 4]}])

    # Recommended: Flush data before creating snapshot to ensure all data is included
    client.flush(collection_name="my_collection")

    # Create snapshot for entire collection
    client.create_snapshot(
        collection_name="my_collection",
        snapshot_name="backup_20240101",
        description="Daily backup for January 1st, 2024"
    )

    # Get snapshot metadata
    snapshot_info = client.describe_snapshot(
        snapshot_name="backup_20240101",
        include_collection_info=True
    )
    assert isinstance(snapshot_info, snapexport.SnapshotInfo) and snapshot_info.description.startswith("Daily backup"), snapshot_info
    assert [f["name"] for f in snapshot_info.collection_info["fields"]] == ["id", "title", "price", "vec"], snapshot_info
    assert client.describe_snapshot("backup_20240101", "my_collection").collection_info == {}
    before = rows(client, "my_collection")
    assert len(before) == 398, len(before)
    with open(sys.argv[3], "w") as out:
        for r in before:
            out.write(json.dumps({k: [float(x) for x in v] if k == "vec" else v for k, v in dict(r).items()}) + "\n")
    print(snapshot_info.s3_location)


def restore():
    client = MilvusClient(uri=uri, token="root:Milvus")
    before = rows(client, "my_collection")
    client.delete("my_collection", filter="id < 100")
    client.flush("my_collection")

    # Restore snapshot to new collection
    job_id = client.restore_snapshot(
        snapshot_name="backup_20240101",
        collection_name="restored_collection",
    )
    seen = []
    state = client.wait_for_restore(job_id, timeout=60, progress=lambda s: seen.append(s.progress))
    assert state.progress == 100 and seen == sorted(seen), seen
    # the forms of pymilvus 3.0: by keyword, and by position
    for name, job in (("again", client.restore_snapshot(snapshot_name="backup_20240101", source_collection_name="my_collection", target_collection_name="again")),
                      ("thrice", client.restore_snapshot("backup_20240101", "my_collection", "thrice"))):
        assert client.wait_for_restore(job).collection_name == name
    for name in ("restored_collection", "again", "thrice"):
        client.load_collection(name)
        assert rows(client, name) == before, name
    print("ok")


def errors():
    client = MilvusClient(uri=uri, token="root:Milvus")
    client.create_snapshot("backup_20240101", "again")
    for call in (client.drop_snapshot, client.describe_snapshot, client.pin_snapshot_data):
        fails("several collections have a snapshot 'backup_20240101': again, my_collection", call, "backup_20240101")
        fails("no collection of the database has a snapshot 'nosuch'", call, "nosuch")
    fails("several collections", client.restore_snapshot, "backup_20240101", "other")
    fails("is missing", client.restore_snapshot, "backup_20240101")
    fails("name the target once", client.restore_snapshot, "backup_20240101", "a", "b", source_collection_name="c")
    client.drop_snapshot("backup_20240101", "again")
    pin = client.pin_snapshot_data("backup_20240101", ttl_seconds=60)
    fails("active pins exist", client.drop_snapshot, snapshot_name="backup_20240101")
    client.unpin_snapshot_data(pin)
    # in another database than the connection's
    client.create_database("other")
    there = MilvusClient(uri=uri, token="root:Milvus", db_name="other")
    there.create_collection("elsewhere", dimension=2)
    there.insert("elsewhere", [{"id": 1, "vector": [1, 2]}])
    there.flush("elsewhere")
    there.create_snapshot("away", "elsewhere")
    fails("no collection of the database", client.describe_snapshot, "away")
    info = client.describe_snapshot("away", db_name="other", include_collection_info=True)
    assert info.collection_name == "elsewhere" and info.collection_info["collection_name"] == "elsewhere", info
    client.drop_snapshot("away", db_name="other")
    assert there.list_snapshots("elsewhere") == []
    # what pymilvus can be called with, this can
    for name in ("restore_snapshot", "drop_snapshot", "describe_snapshot", "pin_snapshot_data"):
        theirs, ours = (inspect.signature(getattr(c, name)).parameters for c in (pymilvus.MilvusClient, MilvusClient))
        assert set(theirs) <= set(ours), (name, set(theirs) - set(ours))
        assert getattr(MilvusClient, name).__doc__
    print("ok")


def drop():
    client = MilvusClient(uri=uri, token="root:Milvus")
    client.drop_snapshot(
        snapshot_name="backup_20240101"
    )
    assert client.list_snapshots("my_collection") == []
    print("ok")


{"make": make, "restore": restore, "errors": errors, "drop": drop}[phase]()

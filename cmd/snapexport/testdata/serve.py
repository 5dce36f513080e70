"""pymilvus against `snapexport serve`: serve.py fill|check|auth URI [CERTIFICATE]."""
import logging
import sys

from pymilvus import MilvusClient

logging.disable(logging.CRITICAL)
phase, uri = sys.argv[1:3]


def fill():
    client = MilvusClient(uri=uri)
    client.create_collection("docs", dimension=2)
    client.insert("docs", [{"id": i, "vector": [i, i]} for i in range(10)])
    client.flush("docs")
    client.create_snapshot("s1", "docs")
    client.insert("docs", [{"id": i, "vector": [i, i]} for i in range(10, 15)])
    client.delete("docs", ids=[3])


def check():
    client = MilvusClient(uri=uri)
    assert client.list_snapshots("docs") == ["s1"]
    rows = client.query("docs", filter="id >= 0", output_fields=["vector"])
    assert {r["id"]: list(r["vector"]) for r in rows} == {i: [i, i] for i in range(15) if i != 3}, rows
    client.flush("docs")
    assert client.query("docs", output_fields=["count(*)"])[0]["count(*)"] == 14


def auth():
    def connect(**who):
        return MilvusClient(uri=uri, server_pem_path=sys.argv[3], server_name="localhost", timeout=10, **who)

    assert connect(token="root:s3cret").list_databases() == ["default"]
    assert connect(user="root", password="s3cret").list_databases() == ["default"]
    for who, text in (({"token": "root:Milvus"}, "auth check failure"), ({}, "missing authorization in header")):
        try:
            connect(**who).list_databases()
        except Exception as e:
            assert text in f"{e} {e.__cause__}", e  # the first call is the client's own, and it hides what it heard
        else:
            raise AssertionError(f"{who} was let in")


{"fill": fill, "check": check, "auth": auth}[phase]()
print("ok")

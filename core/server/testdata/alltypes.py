"""Every data type through pymilvus, there and back, also through files and a restore: alltypes.py URI."""
import logging
import math
import struct
import sys
import time

import numpy as np
from pymilvus import DataType, MilvusClient

logging.disable(logging.CRITICAL)
client = MilvusClient(uri=sys.argv[1])
N = 40


def half(i, d):
    return np.array([i + k / 4 for k in range(d)], dtype=np.float16)


def brain(i, d):
    """bfloat16 as bytes: float32 without its lower half."""
    return b"".join(struct.pack("<f", float(i + k))[2:] for k in range(d))


# name, type, parameters of the field, value of row i, what a query returns of it
scalars = [
    ("b", DataType.BOOL, {}, lambda i: i % 2 == 0, None),
    ("i8", DataType.INT8, {}, lambda i: i - 20, None),
    ("i16", DataType.INT16, {}, lambda i: i * 800 - 16000, None),
    ("i32", DataType.INT32, {}, lambda i: i * 1000000 - 5, None),
    ("i64", DataType.INT64, {}, lambda i: i * 2**50 - 3, None),
    ("f", DataType.FLOAT, {}, lambda i: i / 8, None),
    ("d", DataType.DOUBLE, {}, lambda i: i / 3, None),
    ("s", DataType.VARCHAR, {"max_length": 64}, lambda i: "é" * (i % 5), None),
    ("j", DataType.JSON, {}, lambda i: {"i": i, "n": None, "l": [1, 2.5, "x", {}]}, None),
    ("g", DataType.GEOMETRY, {}, lambda i: f"POINT ({i} {i + 0.5})", None),
    ("t", DataType.TIMESTAMPTZ, {}, lambda i: f"2025-01-{i % 28 + 1:02d}T00:00:00+08:00",
     lambda i: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1735660800 + 86400 * (i % 28)))),
]
elements = [
    ("ab", DataType.BOOL, {}, lambda i: [True, False][: i % 3]),
    ("ai8", DataType.INT8, {}, lambda i: list(range(-(i % 4), 0))),
    ("ai32", DataType.INT32, {}, lambda i: [i] * (i % 4)),
    ("ai64", DataType.INT64, {}, lambda i: [2**60 + i] * (i % 3)),
    ("af", DataType.FLOAT, {}, lambda i: [i / 2] * (i % 3)),
    ("ad", DataType.DOUBLE, {}, lambda i: [i / 3] * (i % 3)),
    ("av", DataType.VARCHAR, {"max_length": 20}, lambda i: [f"x{i}", ""][: i % 3]),
]
vectors = [
    ("fv", DataType.FLOAT_VECTOR, {"dim": 4}, lambda i: [i, i + 0.25, -i, 1.0], None),
    ("f16", DataType.FLOAT16_VECTOR, {"dim": 4}, lambda i: half(i, 4), lambda i: half(i, 4).tobytes()),
    ("bf16", DataType.BFLOAT16_VECTOR, {"dim": 4}, lambda i: brain(i, 4), lambda i: brain(i, 4)),
    ("bin", DataType.BINARY_VECTOR, {"dim": 16}, lambda i: bytes([i, 255 - i]), lambda i: bytes([i, 255 - i])),
    ("i8v", DataType.INT8_VECTOR, {"dim": 4}, lambda i: np.array([i, -i, 127, -128], dtype=np.int8), lambda i: np.array([i, -i, 127, -128], dtype=np.int8).tobytes()),
    ("sp", DataType.SPARSE_FLOAT_VECTOR, {}, lambda i: {i: 0.5, i + 1000: 2.0}, None),
]


def plain(v):
    """What a query returned as simple values: bytes of byte vectors, dicts of sparse ones."""
    if isinstance(v, np.ndarray):
        return v.tobytes()
    if isinstance(v, list) and len(v) == 1 and isinstance(v[0], bytes):
        return v[0]
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if type(v).__name__.startswith("Repeated"):
        return list(v)
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    return v


def same(got, want):
    got, want = plain(got), plain(want)
    if isinstance(want, float):
        return isinstance(got, float) and math.isclose(got, want, rel_tol=1e-7)
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(same(a, b) for a, b in zip(got, want))
    return got == want


def compare(name, fields, nullable, what):
    rows = {r["id"]: r for r in client.query(name, filter="id >= 0", output_fields=["*"])}
    assert sorted(rows) == list(range(N)), (what, sorted(rows))
    for field, value, null in fields:
        for i in range(N):
            want = None if nullable and null and i % 3 == 1 else value(i)
            got = rows[i][field]
            assert same(got, want), f"{what}: {field} of row {i} is {got!r}, not {want!r}"


def through(name, fields, nullable, data):
    """Inserts, queries, flushes, queries, restores, queries."""
    half_rows = len(data) // 2
    client.insert(name, data[:half_rows])
    client.flush(name)
    client.insert(name, data[half_rows:])
    compare(name, fields, nullable, name + ", half of it growing")
    client.flush(name)
    compare(name, fields, nullable, name + ", flushed")
    client.create_snapshot("all", name)
    job = client.restore_snapshot("all", name, name + "_restored")
    for _ in range(600):
        state = client.get_restore_snapshot_state(job)
        if state.state == "RestoreSnapshotCompleted":
            break
        assert state.state != "RestoreSnapshotFailed", state
        time.sleep(0.05)
    client.load_collection(name + "_restored")
    compare(name + "_restored", fields, nullable, name + ", restored")
    client.compact(name)
    compare(name, fields, nullable, name + ", compacted")


for nullable in (False, True):
    # at most four vector fields a collection, so two of them
    for part, some in enumerate((vectors[:3], vectors[3:])):
        name = f"types{part}{'null' if nullable else ''}"
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        fields = []
        for field, kind, extra, value, shown in scalars + some:
            schema.add_field(field, kind, nullable=nullable, **extra)
            fields.append((field, shown or value, True))
        for field, kind, extra, value in elements:
            schema.add_field(field, DataType.ARRAY, element_type=kind, max_capacity=8, nullable=nullable, **extra)
            fields.append((field, value, True))
        if part == 0:
            inner = client.create_struct_field_schema()
            inner.add_field("name", DataType.VARCHAR, max_length=20)
            inner.add_field("n", DataType.INT64)
            inner.add_field("v", DataType.FLOAT_VECTOR, dim=2)
            schema.add_field("st", DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=inner, max_capacity=5, nullable=nullable)
            fields.append(("st", lambda i: [{"name": f"n{k}", "n": k, "v": [float(i), float(k)]} for k in range(i % 3 + 1)], True))
        client.create_collection(name, schema=schema)
        client.load_collection(name)
        sent = {f[0]: f[3] for f in scalars + some + elements} | ({"st": fields[-1][1]} if part == 0 else {})
        data = []
        for i in range(N):
            out = {"id": i}
            for field, value in sent.items():
                if not (nullable and i % 3 == 1):
                    out[field] = value(i)
                elif i % 2:
                    out[field] = None  # the rest leaves it out
            data.append(out)
        through(name, fields, nullable, data)

# ---- defaults: left out or None
schema = client.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
defaults = [("i32", DataType.INT32, {}, 7), ("i64", DataType.INT64, {}, 9), ("d", DataType.DOUBLE, {}, 1.5), ("b", DataType.BOOL, {}, True),
            ("s", DataType.VARCHAR, {"max_length": 9}, "dflt"), ("t", DataType.TIMESTAMPTZ, {}, "2025-01-01T00:00:00Z")]
for field, kind, extra, value in defaults:
    schema.add_field(field, kind, default_value=value, nullable=field == "i64", **extra)
client.create_collection("defaults", schema=schema)
client.load_collection("defaults")
client.insert("defaults", [{"id": 0, "v": [1, 2]}, {"id": 1, "v": [3, 4], **{f[0]: None for f in defaults}}])
for r in client.query("defaults", filter="id >= 0", output_fields=["*"]):
    for field, _, _, value in defaults:
        assert r[field] == value, (r, field, value)
shown = {f["name"]: f for f in client.describe_collection("defaults")["fields"]}
assert shown["i32"]["default_value"].int_data == 7 and shown["t"]["default_value"].string_data == "2025-01-01T00:00:00Z", shown

# ---- time zones: text without an offset is the collection's, and so are answers
schema = client.create_schema()
schema.add_field("id", DataType.VARCHAR, max_length=10, is_primary=True)
schema.add_field("v", DataType.FLOAT_VECTOR, dim=2)
schema.add_field("t", DataType.TIMESTAMPTZ)
client.create_collection("zones", schema=schema, properties={"timezone": "Asia/Shanghai"})
client.load_collection("zones")
client.insert("zones", [{"id": "a", "v": [1, 2], "t": "2025-01-01T00:00:00"}])
assert client.query("zones", ids=["a"], output_fields=["t"])[0]["t"] == "2025-01-01T00:00:00+08:00"
assert client.query("zones", ids=["a"], output_fields=["t"], timezone="UTC")[0]["t"] == "2024-12-31T16:00:00Z"
print("ok")

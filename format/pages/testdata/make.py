"""Writes the golden Parquet files of this folder and values.txt, what they all hold, with pyarrow.

    python make.py            (pyarrow 20 or later)

Every file holds the same table; files differ in encodings, codecs, page versions, page and row group sizes.
values.txt has one line per column: name, then one value per row; bytes and floats (raw bits, big-endian) in hex,
NULL as -, lists in brackets.
"""
import os
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 203
rnd = random.Random(7)
here = os.path.dirname(os.path.abspath(__file__))


def sparse(values):
    """Replaces some values by NULL, among them runs of both kinds."""
    return [None if 40 <= i < 75 or (i > 100 and rnd.random() < 0.3) else v for i, v in enumerate(values)]


def rb(n):
    return bytes(rnd.randrange(256) for _ in range(n))


flat = {
    "bool": (pa.bool_(), [rnd.random() < 0.5 for _ in range(ROWS)]),
    "i32": (pa.int32(), [rnd.choice([0, -1, 2**31 - 1, -2**31, rnd.randrange(-99, 99)]) for _ in range(ROWS)]),
    "i64": (pa.int64(), [rnd.choice([2**63 - 1, -2**63, 442959097209290755 + i, i]) for i in range(ROWS)]),
    "f32": (pa.float32(), [rnd.choice([0.0, -0.0, float("inf"), 1.5, rnd.randrange(1000) / 8]) for _ in range(ROWS)]),
    "f64": (pa.float64(), [rnd.choice([0.0, 5e-324, float("-inf"), rnd.random()]) for _ in range(ROWS)]),
    "str": (pa.string(), [rnd.choice(["", "a", "Grüße %d" % i, "key-%06d" % i, "\U0001f600" * (i % 5)]) for i in range(ROWS)]),
    "bin": (pa.binary(), [rb(rnd.choice([0, 1, 7, 40])) for _ in range(ROWS)]),
    "fsb": (pa.binary(12), [rnd.choice([rb(12), b"\0" * 12]) for _ in range(ROWS)]),
}


def lists(null_lists, null_elements, elem):
    out = []
    for i in range(ROWS):
        n = rnd.choice([0, 1, 2, 3, 40 if i % 50 == 0 else 1])
        if null_lists and rnd.random() < 0.2:
            out.append(None)
        else:
            out.append([None if null_elements and rnd.random() < 0.2 else elem() for _ in range(n)])
    return out


names, types, values, nullable = [], [], [], []


def add(name, t, v, null):
    names.append(name), types.append(t), values.append(v), nullable.append(null)


for name, (t, v) in flat.items():
    add(name, t, v, False)
    add(name + "_n", t, sparse(v), True)
    add(name + "_o", t, v, True)  # optional without a NULL
element = lambda t, null: pa.list_(pa.field("element", t, nullable=null))
add("l_fsb", element(pa.binary(8), False), lists(False, False, lambda: rb(8)), False)
add("l_fsb_n", element(pa.binary(8), False), lists(True, False, lambda: rb(8)), True)
add("l_i64_nn", element(pa.int64(), True), lists(True, True, lambda: rnd.randrange(-9, 9)), True)
add("l_f32_en", element(pa.float32(), True), lists(False, True, lambda: rnd.randrange(9) / 4), False)

schema = pa.schema([pa.field(n, t, nullable=o, metadata={"PARQUET:field_id": str(i)})
                    for i, (n, t, o) in enumerate(zip(names, types, nullable))])
table = pa.Table.from_arrays([pa.array(v, t) for v, t in zip(values, types)], schema=schema)


def text(v, t):
    if v is None:
        return "-"
    if pa.types.is_list(t):
        return "[" + ",".join(text(x, t.value_type) for x in v) + "]"
    if pa.types.is_float32(t):
        return struct.pack(">f", v).hex()
    if pa.types.is_float64(t):
        return struct.pack(">d", v).hex()
    if isinstance(v, bool):
        return "01"[v]
    if isinstance(v, int):
        return str(v)
    return "x" + (v.encode() if isinstance(v, str) else v).hex()


with open(os.path.join(here, "values.txt"), "w") as f:
    for n, t, v in zip(names, types, values):
        f.write(" ".join([n] + [text(x, t) for x in v]) + "\n")

small = dict(data_page_size=256, write_batch_size=16)
delta = {n: "DELTA_BINARY_PACKED" for n in names if n[0] == "i"}
delta |= {n: "DELTA_LENGTH_BYTE_ARRAY" for n in names if n.startswith("str")}
delta |= {n: "DELTA_BYTE_ARRAY" for n in names if n.startswith("bin")}
delta |= {n: "RLE" for n in names if n.startswith("bool")}
split = {n: "BYTE_STREAM_SPLIT" for n in names if n[0] in "if" and n[:2] in ("i3", "i6", "f3", "f6", "fs")}
for name, opts in {
    "plain": dict(use_dictionary=False, compression="none", **small),
    "plain-one-page": dict(use_dictionary=False, compression="none", write_page_checksum=True),
    "dict-zstd": dict(compression="zstd", compression_level=3, **small),
    "dict-fallback-zstd": dict(compression="zstd", dictionary_pagesize_limit=100, row_group_size=90, **small),
    "v2-snappy": dict(compression="snappy", data_page_version="2.0", write_page_checksum=True, **small),
    "v2-plain-gzip": dict(use_dictionary=False, compression="gzip", data_page_version="2.0", row_group_size=64, **small),
    "delta-lz4": dict(use_dictionary=False, column_encoding=delta, compression="lz4", **small),
    "delta-v2-none": dict(use_dictionary=False, column_encoding=delta, compression="none", data_page_version="2.0", **small),
    "split-brotli": dict(use_dictionary=False, column_encoding=split, compression="brotli", **small),
}.items():
    pq.write_table(table, os.path.join(here, name + ".parquet"), store_schema=False, **opts)
pq.write_table(table.slice(0, 0), os.path.join(here, "no-rows.parquet"), store_schema=False)

# Files of one or two columns: seeds of the fuzz targets, which are slow on the others.
os.makedirs(os.path.join(here, "small"), exist_ok=True)
for cols in ("bool_n", "i32_n", "i64", "str_n", "fsb_n", "l_fsb_n", "l_i64_nn"):
    for name, opts in {"dict": dict(compression="none"), "plain": dict(use_dictionary=False, compression="none"),
                       "v2": dict(compression="zstd", data_page_version="2.0"),
                       "delta": dict(use_dictionary=False, compression="none", column_encoding={k: v for k, v in delta.items() if k == cols})}.items():
        if name == "delta" and cols not in delta:
            continue
        pq.write_table(table.select([cols]).slice(30, 50), os.path.join(here, "small", f"{cols}-{name}.parquet"), store_schema=False, **opts)

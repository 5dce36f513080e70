#!/usr/bin/env python3
"""Makes a small collection with two snapshots, for the notebooks and the Spark examples.

  python scripts/sample_collection.py DIR [--truth DIR]

The collection `articles` has a title, a category, a number of words and an embedding of 32 dimensions. Its snapshots are
DIR/bucket#articles/monday and DIR/bucket#articles/tuesday. Between them rows of the partition `recent` were deleted, revised and
added, and what is new about sports lies elsewhere than before; the partition `archive` stayed as it was. Some vectors are nearly
the same as another, and some are far too long. A `snapexport serve` of its own writes the files; it is ended in the end.

Needs numpy, pymilvus 3.0, and snapexport: that of $SNAPEXPORT_BINARY, bin/snapexport of this checkout (make build), or the PATH.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
from pymilvus import DataType, MilvusClient

DIM = 32
CATEGORIES = np.array(["arts", "health", "politics", "science", "sports"])
FLUSHES = 4  # of each partition, and so segments
GONE_EARLY = (0.45, 0.25, 0.1, 0.0)  # share of rows that are deleted before the first snapshot, by segment of the archive
GONE_LATER = (0.3, 0.15, 0.05, 0.0)  # and between the two, by segment of the recent rows


class Articles:
    """The rows as they should be, and the server that is told of them."""

    def __init__(self, client, seed):
        self.client, self.rng, self.rows = client, np.random.default_rng(seed), {}
        self.centres = self.rng.normal(size=(len(CATEGORIES), DIM)) * 1.1
        self.scale = 1.6 / np.sqrt(1 + np.arange(DIM))
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("title", DataType.VARCHAR, max_length=100)
        schema.add_field("category", DataType.VARCHAR, max_length=20)
        schema.add_field("words", DataType.INT64)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIM)
        index = client.prepare_index_params()
        index.add_index("embedding", index_type="FLAT", metric_type="COSINE")
        client.create_collection("articles", schema=schema, index_params=index, num_shards=1)
        for partition in ("archive", "recent"):
            client.create_partition("articles", partition)

    def vectors(self, kinds, shift=0.0):
        """Random vectors around the centres of their categories; shift moves those of sports."""
        v = self.centres[kinds] + self.rng.normal(size=(len(kinds), DIM)) * self.scale
        v[kinds == len(CATEGORIES) - 1] += shift
        return v.astype(np.float32)

    def write(self, ids, partition, shift=0.0, factor=1.0):
        kinds = self.rng.integers(0, len(CATEGORIES), len(ids))
        vectors = self.vectors(kinds, shift) * np.float32(factor)
        twins = self.rng.choice(len(ids), 4, replace=False)  # two rows that nearly repeat two others
        kinds[twins[2:]] = kinds[twins[:2]]
        vectors[twins[2:]] = vectors[twins[:2]] + self.rng.normal(size=(2, DIM)).astype(np.float32) * np.float32(1e-3)
        vectors[self.rng.integers(0, len(ids))] *= np.float32(4)  # and one that is far too long
        words = self.rng.integers(200, 3000, len(ids))
        self.put(partition, [{"id": int(i), "title": f"Article {i}", "category": str(CATEGORIES[k]), "words": int(w), "embedding": v}
                             for i, k, w, v in zip(ids, kinds, words, vectors)], self.client.insert)

    def put(self, partition, rows, call):
        call("articles", [{**r, "embedding": r["embedding"].tolist()} for r in rows], partition_name=partition)
        self.client.flush("articles")
        self.rows.update((r["id"], r) for r in rows)

    def delete(self, ids, partition, share):
        gone = [int(i) for i in ids[self.rng.random(len(ids)) < share]]
        if gone:
            self.client.delete("articles", ids=gone, partition_name=partition)
            for i in gone:
                del self.rows[i]

    def revise(self, ids):
        """Gives rows another title and a vector that is a little different."""
        out = []
        for i in map(int, ids):
            old = self.rows[i]
            out.append({**old, "title": old["title"] + ", revised", "embedding": old["embedding"] + self.rng.normal(size=DIM).astype(np.float32) * np.float32(0.05)})
        self.put("recent", out, self.client.upsert)

    def snapshot(self, name, truth):
        self.client.flush("articles")
        self.client.create_snapshot(name, "articles")
        print(f"articles/{name}: {len(self.rows)} rows")
        if truth:
            import pyarrow as pa
            import pyarrow.parquet as pq
            rows = sorted(self.rows.values(), key=lambda r: r["id"])
            pq.write_table(pa.table({k: [r[k] for r in rows] for k in rows[0]}), os.path.join(truth, name + ".parquet"))


def fill(client, rows, seed, truth):
    articles = Articles(client, seed)
    archive, recent = (np.array_split(half, FLUSHES) for half in np.array_split(np.arange(rows), 2))
    for partition, batches in (("archive", archive), ("recent", recent)):
        for ids in batches:
            articles.write(ids, partition)
    for ids, share in zip(archive, GONE_EARLY):
        articles.delete(ids, "archive", share)
    articles.snapshot("monday", truth)
    for ids, share in zip(recent, GONE_LATER):
        articles.delete(ids, "recent", share)
    left = np.array([i for i in np.concatenate(recent) if int(i) in articles.rows])
    articles.revise(articles.rng.choice(left, rows // 40, replace=False))
    shift = 1.2 * articles.rng.choice([-1.0, 1.0], DIM) / np.sqrt(DIM) * 2
    articles.write(np.arange(rows, rows + rows // 8), "recent", shift=shift, factor=1.1)
    articles.snapshot("tuesday", truth)


def program():
    own = pathlib.Path(__file__).resolve().parent.parent / "bin" / "snapexport"
    found = os.environ.get("SNAPEXPORT_BINARY") or (str(own) if own.exists() else shutil.which("snapexport"))
    return found or exit("there is no snapexport: make build, or set SNAPEXPORT_BINARY")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir", help="folder to make, for the server's data")
    p.add_argument("--rows", type=int, default=4000, metavar="N", help="rows before the first snapshot (default 4000)")
    p.add_argument("--seed", type=int, default=7, metavar="N", help="of the random numbers")
    p.add_argument("--truth", metavar="DIR", help="also write the rows of each snapshot to DIR/NAME.parquet, as they were sent and not as they are read")
    args = p.parse_args()
    server = subprocess.Popen([program(), "serve", "--data", args.dir, "--address", "127.0.0.1:0", "--metrics", "", "--no-fsync", "--log-level", "error", "--json"],
                              stdout=subprocess.PIPE)
    try:
        greeting = server.stdout.readline()
        if not greeting:
            exit("the server did not start")
        fill(MilvusClient(uri="http://" + json.loads(greeting)["address"]), args.rows, args.seed, args.truth)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What a table's vectors look like: norms and centroids by category, the rows nearest to one, rows that are nearly the same.

  python vector_analytics.py s3a://lake/articles --key id --vector embedding --by category --top 5 --near 0.999

Vectors go from Spark to numpy as Arrow batches (mapInArrow), not row by row. Near-duplicates are looked for among rows that lie on
the same side of some random planes, not among all pairs: pairs at the edge of --near may be missed, never made up. The session, with
its settings for S3, is that of lake.py. Needs numpy and pyarrow where Spark's executors run. Ends with 1 if a vector is not finite.
"""
import functools
import json
import os
import sys

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

import lake


def arguments(argv):
    p = lake.parser(__doc__)
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("--tag", help="read the table as this Milvus snapshot left it")
    p.add_argument("--key", required=True, metavar="COLUMN", help="the primary key")
    p.add_argument("--vector", required=True, metavar="COLUMN", help="a vector column, of lists of numbers")
    p.add_argument("--by", required=True, metavar="COLUMN", help="the column whose values are the categories")
    p.add_argument("--query", metavar="JSON", help="the vector to look for (default: that of the row with the smallest key)")
    p.add_argument("--top", type=int, default=5, metavar="K", help="how many of the nearest (default 5)")
    p.add_argument("--near", type=float, default=0.999, metavar="COSINE", help="from where on two rows are nearly the same (default 0.999)")
    p.add_argument("--pairs", type=int, default=10, metavar="N", help="how many of such pairs to print (default 10)")
    p.add_argument("--planes", type=int, default=16, metavar="N", help="planes in a band: more compare fewer pairs (default 16)")
    p.add_argument("--bands", type=int, default=10, metavar="N", help="bands: more miss fewer pairs (default 10)")
    return p.parse_args(argv)


def matrix(column):
    """The vectors of an Arrow column of lists, without nulls, as the rows of a matrix."""
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(len(column), -1)


def sums(batches):
    """Of each category in the batches: rows, sum of vectors, sum, least and greatest of norms."""
    found = {}
    for batch in batches:
        names, v = batch.column("category").dictionary_encode(), matrix(batch.column("vector"))
        norms, codes = np.linalg.norm(v, axis=1), names.indices.to_numpy()
        for code, name in enumerate(names.dictionary.to_pylist()):
            mine = codes == code
            rows, total, norm, least, most = found.get(name, (0, 0.0, 0.0, np.inf, 0.0))
            found[name] = (rows + int(mine.sum()), total + v[mine].sum(axis=0), norm + norms[mine].sum(), np.minimum(least, norms[mine].min()), np.maximum(most, norms[mine].max()))
    if found:
        rows, total, norm, least, most = zip(*found.values())
        yield pa.RecordBatch.from_arrays(
            [pa.array(list(found)), pa.array(rows, pa.int64()), pa.array([t.tolist() for t in total], pa.list_(pa.float64())), *(pa.array(map(float, x), pa.float64()) for x in (norm, least, most))],
            ["category", "rows", "total", "norm", "least", "most"])


def categories(vectors):
    """Names, numbers of rows, norms (mean, least, greatest) and centroids of the categories; each partition sends one row for each."""
    parts = vectors.select("category", "vector").mapInArrow(sums, "category string, rows long, total array<double>, norm double, least double, most double").collect()
    out = []
    for name in sorted({p["category"] for p in parts}):
        mine = [p for p in parts if p["category"] == name]
        rows = sum(p["rows"] for p in mine)
        centroid = np.sum([p["total"] for p in mine], axis=0) / rows
        out.append((name, rows, sum(p["norm"] for p in mine) / rows, min(p["least"] for p in mine), max(p["most"] for p in mine), centroid))
    return out


def cosines(centroids):
    """The cosine of every two rows."""
    unit = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return unit @ unit.T


def best(batches, query, top):
    """The nearest to the query in each batch; vectors of norm 0 have no direction."""
    for batch in batches:
        v = matrix(batch.column("vector"))
        length = np.linalg.norm(v, axis=1) * np.linalg.norm(query)
        cosine = np.divide(v @ query, length, out=np.full(len(v), -2.0), where=length > 0)
        order = np.argsort(-cosine, kind="stable")[:top]
        order = pa.array(order[cosine[order] > -2])
        yield pa.RecordBatch.from_arrays([batch.column("key").take(order), pa.array(cosine).take(order)], ["key", "cosine"])


def buckets(batches, planes):
    """For each row and band, the side of the band's planes on which the row lies; planes are bands x dimensions x planes."""
    weights = 1 << np.arange(planes.shape[2])
    for batch in batches:
        v = matrix(batch.column("vector"))
        for band, normal in enumerate(planes):
            code = ((v @ normal) > 0) @ weights * len(planes) + band
            yield pa.RecordBatch.from_arrays([batch.column("key"), pa.array(code, pa.int64())], ["key", "bucket"])


def alike(batches, near):
    """The pairs whose cosine is at least near."""
    for batch in batches:
        a, b = matrix(batch.column("a")), matrix(batch.column("b"))
        length = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosine = np.divide((a * b).sum(axis=1), length, out=np.full(len(a), -2.0), where=length > 0)
        order = pa.array(np.flatnonzero(cosine >= near))
        yield pa.RecordBatch.from_arrays([batch.column("one").take(order), batch.column("other").take(order), pa.array(cosine).take(order)], ["one", "other", "cosine"])


def duplicates(vectors, kind, dim, args):
    """Pairs of rows that are nearly the same, as a frame of one, other and cosine."""
    planes = np.random.default_rng(1).normal(size=(args.bands, dim, args.planes))
    sides = vectors.select("key", "vector").mapInArrow(functools.partial(buckets, planes=planes), f"key {kind}, bucket long")
    one, other = sides.select(F.col("key").alias("one"), "bucket"), sides.select(F.col("key").alias("other"), "bucket")
    pairs = one.join(other, "bucket").where("one < other").select("one", "other").distinct()
    pairs = pairs.join(vectors.select(F.col("key").alias("one"), F.col("vector").alias("a")), "one").join(vectors.select(F.col("key").alias("other"), F.col("vector").alias("b")), "other")
    return pairs.select("one", "other", "a", "b").mapInArrow(functools.partial(alike, near=args.near), f"one {kind}, other {kind}, cosine double")


def main(argv=None, spark=None):
    args = arguments(argv)
    with lake.session(args.jars, spark) as spark:
        for module in (lake.__file__, __file__):
            spark.sparkContext.addPyFile(os.path.abspath(module))  # executors need these functions, too
        table = lake.read(spark, args.table, args.tag)
        lake.check([args.key, args.vector, args.by], table)
        kind = dict(table.dtypes)[args.key]
        vectors = (table.where(F.col(args.vector).isNotNull())
                   .select(F.col(args.key).alias("key"), F.col(args.vector).alias("vector"), F.coalesce(F.col(args.by).cast("string"), F.lit("-")).alias("category")))
        found = categories(vectors)
        if not found:
            sys.exit(f"no row has a vector in {args.vector}")
        centroids = np.stack([c[5] for c in found])
        if not np.isfinite([c[4] for c in found]).all() or not np.isfinite(centroids).all():
            sys.exit(f"some vectors in {args.vector} are not finite")
        between = cosines(centroids) - 3 * np.eye(len(found))
        nearest = between.argmax(axis=1)
        lake.show(f"norms and centroids of {args.vector} by {args.by}", ["category", "rows", "mean norm", "least", "greatest", "norm of centroid", "nearest category", "cosine"],
                  [(*c[:5], float(np.linalg.norm(c[5])), *((found[n][0], float(b[n])) if len(found) > 1 else (None, None))) for c, n, b in zip(found, nearest, between)])

        query = json.loads(args.query) if args.query else vectors.orderBy("key").first()["vector"]
        if len(query) != centroids.shape[1]:
            sys.exit(f"--query has {len(query)} numbers, the vectors have {centroids.shape[1]}")
        top = vectors.select("key", "vector").mapInArrow(functools.partial(best, query=np.array(query, dtype=np.float64), top=args.top), f"key {kind}, cosine double")
        lake.show(f"the {args.top} nearest to [{', '.join('%.3f' % x for x in query[:3])}, ...] by cosine", [args.key, "cosine"], top.orderBy(F.desc("cosine"), "key").limit(args.top).collect())

        pairs = duplicates(vectors, kind, centroids.shape[1], args).orderBy(F.desc("cosine"), "one", "other").collect()
        lake.show(f"{len(pairs)} pairs of rows with a cosine of {args.near} or more", ["one", "other", "cosine"], pairs[:args.pairs])


if __name__ == "__main__":
    main()

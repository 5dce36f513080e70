#!/usr/bin/env python3
"""Reads a table that snapexport wrote with Spark: as an Iceberg table, and its data folder as plain Parquet.

  python read_table.py s3a://lake/demo/lifecycle --key id --absent 3,4,5 --vector v --top 5

The session, with its settings for S3, is that of lake.py. Runs with pyspark 4.0 and 3.5.
"""
import json

from pyspark.sql import functions as F

from lake import connect, parser, read


def arguments():
    p = parser(__doc__)
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("--tag", help="read the table as this Milvus snapshot left it")
    p.add_argument("--rows", type=int, default=5, metavar="N", help="rows to print (default 5)")
    p.add_argument("--key", metavar="COLUMN", help="the primary key")
    p.add_argument("--absent", metavar="KEY,...", help="keys that were deleted: shows that they are not there")
    p.add_argument("--vector", metavar="COLUMN", help="a vector column: shows the rows nearest to --query by cosine")
    p.add_argument("--query", metavar="JSON", help="the vector to look for (default: that of the row with the smallest key)")
    p.add_argument("--top", type=int, default=5, metavar="K", help="how many of the nearest (default 5)")
    return p.parse_args()


def dot(a, b):
    """Sum of products of two array columns."""
    return F.aggregate(F.zip_with(a, b, lambda x, y: x.cast("double") * y.cast("double")), F.lit(0.0), lambda sum, x: sum + x)


def nearest(rows, key, vector, query, top):
    """The rows whose vector is nearest to the query by cosine."""
    v, q = F.col(vector), F.array(*[F.lit(float(x)) for x in query])
    cosine = dot(v, q) / (F.sqrt(dot(v, v)) * F.sqrt(dot(q, q)))
    others = [c for c in rows.columns if c not in (key, vector)]
    return rows.select(key, cosine.alias("cosine"), *[f"`{c}`" for c in others]).orderBy(F.desc("cosine")).limit(top)


def main():
    args = arguments()
    spark = connect(args.jars)
    table = read(spark, args.table, args.tag)

    print("== %s, Spark %s\n" % (args.table, spark.version))
    table.printSchema()
    print("as an Iceberg table: %d rows" % table.count())
    print("its data folder as plain Parquet: %d rows\n" % spark.read.parquet(args.table.rstrip("/") + "/data").count())

    print("== the first rows")
    (table.orderBy(args.key) if args.key else table).show(args.rows, 60)

    if args.key and args.absent:
        keys = [k if dict(table.dtypes)[args.key] == "string" else int(k) for k in args.absent.split(",")]
        found = [r[0] for r in table.where(F.col(args.key).isin(keys)).select(args.key).collect()]
        print("== deleted in Milvus: %s\nof these the table has: %s\n" % (args.absent, found or "none"))

    if args.key and args.vector:
        query = json.loads(args.query) if args.query else table.orderBy(args.key).where(F.col(args.vector).isNotNull()).first()[args.vector]
        print("== the %d nearest to [%s, ...] by cosine of `%s`" % (args.top, ", ".join("%.3f" % x for x in query[:4]), args.vector))
        nearest(table, args.key, args.vector, query, args.top).show(args.top, 60)
    spark.stop()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Joins a table that snapexport wrote with another table: clicks by category, and who has none.

  python join_table.py s3a://lake/articles s3a://lake/clicks.parquet --on id --by category --sum clicks

The other table is a CSV file with a header, Parquet, or an Iceberg table, by the ending of its name. Only the columns that are named
are read, so vectors are not. The session, with its settings for S3, is that of lake.py. Ends with 1 if a key occurs twice on
either side, as the sums would count rows twice.
"""
import sys

from pyspark.sql import functions as F

import lake


def arguments(argv):
    p = lake.parser(__doc__)
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("other", help="the other table: *.csv, *.parquet, or the root of an Iceberg table")
    p.add_argument("--tag", help="read the table as this Milvus snapshot left it")
    p.add_argument("--on", required=True, metavar="COLUMN", help="the key, which has the same name in both")
    p.add_argument("--by", required=True, metavar="COLUMN", help="the table's column whose values are the categories")
    p.add_argument("--sum", required=True, metavar="COLUMN", help="the other table's column to sum up")
    return p.parse_args(argv)


def read_other(spark, name):
    if name.endswith(".csv"):
        return spark.read.csv(name, header=True, inferSchema=True)
    return spark.read.parquet(name) if name.endswith(".parquet") else lake.read(spark, name)


def once(table, key, name):
    """Ends the script if a key occurs twice."""
    twice = table.groupBy(key).count().where("count > 1").orderBy(key).first()
    if twice:
        sys.exit(f"{key} {twice[0]} occurs {twice[1]} times in {name}")


def main(argv=None, spark=None):
    args = arguments(argv)
    with lake.session(args.jars, spark) as spark:
        table, other = lake.read(spark, args.table, args.tag), read_other(spark, args.other)
        lake.check([args.on, args.by], table)
        lake.check([args.on, args.sum], other)
        table = table.select(args.on, F.col(args.by).alias("category"), F.lit(1).alias("here"))
        other = other.select(args.on, F.col(args.sum).alias("value"), F.lit(1).alias("there"))
        once(table, args.on, args.table)
        once(other, args.on, args.other)
        joined = table.join(other, args.on, "full").cache()
        groups = (joined.where("here = 1").groupBy("category").agg(F.count("*"), F.count("there"), F.sum("value")).orderBy("category").collect())
        lake.show(f"{args.sum} by {args.by}", [args.by, "rows", "matched", args.sum], groups)
        orphans = joined.where("here is null").agg(F.count("*"), F.sum("value")).first()
        lake.show("in the other table only (deleted in Milvus, or never there)", ["rows", args.sum], [orphans])
        joined.unpersist()


if __name__ == "__main__":
    main()

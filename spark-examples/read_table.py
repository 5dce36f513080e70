#!/usr/bin/env python3
"""Reads a table that snapexport wrote with Spark: as an Iceberg table, and its data folder as plain Parquet.

  export AWS_ENDPOINT_URL=http://127.0.0.1:7070 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... AWS_REGION=us-east-1
  python read_table.py s3a://lake/demo/lifecycle --key id --absent 3,4,5 --vector v --top 5

Without AWS_ENDPOINT_URL it talks to AWS. Spark fetches the jars named in PACKAGES unless --jars (or SNAPEXPORT_JARS) names a
folder that has them, such as .tools/jars/spark-4.0 after `make tools`. Needs pyspark 4.0 or 3.5 and a JDK 17.
"""
import argparse
import json
import os

import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

# By release of Spark: each has its own Iceberg runtime and its own Hadoop, which wants another AWS SDK.
PACKAGES = {
    "4.0": "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.0,org.apache.hadoop:hadoop-aws:3.4.1,software.amazon.awssdk:s3-transfer-manager:2.29.52",
    "3.5": "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.0,org.apache.hadoop:hadoop-aws:3.3.4",
}
RELEASE = ".".join(pyspark.__version__.split(".")[:2])


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("--tag", help="read the table as this Milvus snapshot left it")
    p.add_argument("--rows", type=int, default=5, metavar="N", help="rows to print (default 5)")
    p.add_argument("--key", metavar="COLUMN", help="the primary key")
    p.add_argument("--absent", metavar="KEY,...", help="keys that were deleted: shows that they are not there")
    p.add_argument("--vector", metavar="COLUMN", help="a vector column: shows the rows nearest to --query by cosine")
    p.add_argument("--query", metavar="JSON", help="the vector to look for (default: that of the row with the smallest key)")
    p.add_argument("--top", type=int, default=5, metavar="K", help="how many of the nearest (default 5)")
    p.add_argument("--jars", default=os.environ.get("SNAPEXPORT_JARS"), metavar="DIR", help="folder with the jars of PACKAGES")
    return p.parse_args()


def connect(jars):
    """A Spark session on this machine, bound to the loopback address, that knows Iceberg and S3."""
    builder = (SparkSession.builder.master("local[2]").appName("read_table")
               .config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
               .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
               .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2")
               .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
               .config("spark.hadoop.fs.s3.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem"))
    builder = builder.config("spark.driver.extraClassPath", jars + "/*") if jars else builder.config("spark.jars.packages", PACKAGES[RELEASE])
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        builder = (builder.config("spark.hadoop.fs.s3a.aws.credentials.provider", "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider")
                   .config("spark.hadoop.fs.s3a.access.key", os.environ["AWS_ACCESS_KEY_ID"])
                   .config("spark.hadoop.fs.s3a.secret.key", os.environ["AWS_SECRET_ACCESS_KEY"]))
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        builder = (builder.config("spark.hadoop.fs.s3a.endpoint", endpoint).config("spark.hadoop.fs.s3a.path.style.access", "true")
                   .config("spark.hadoop.fs.s3a.connection.ssl.enabled", str(endpoint.startswith("https")).lower()))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        builder = builder.config("spark.hadoop.fs.s3a.endpoint.region", region)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


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
    reader = spark.read.format("iceberg")
    table = (reader.option("tag", args.tag) if args.tag else reader).load(args.table)

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

"""What the examples share: a Spark session that reads Iceberg tables from S3 and from disks, and how results are printed.

  export AWS_ENDPOINT_URL=http://127.0.0.1:7070 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... AWS_REGION=us-east-1

Without AWS_ENDPOINT_URL it talks to AWS. Spark fetches the jars named in PACKAGES unless --jars (or SNAPEXPORT_JARS) names a folder
that has them, such as .tools/jars/spark-4.0 after `make tools`. Needs pyspark 4.0 or 3.5 and a JDK 17.
"""
import argparse
import contextlib
import os
import sys

import pyspark
from pyspark.sql import SparkSession

# By release of Spark: each has its own Iceberg runtime and its own Hadoop, which wants another AWS SDK.
PACKAGES = {
    "4.0": "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.0,org.apache.hadoop:hadoop-aws:3.4.1,software.amazon.awssdk:s3-transfer-manager:2.29.52",
    "3.5": "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.0,org.apache.hadoop:hadoop-aws:3.3.4",
}
RELEASE = ".".join(pyspark.__version__.split(".")[:2])


def parser(doc):
    """A command line whose help is the script's text."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--jars", default=os.environ.get("SNAPEXPORT_JARS"), metavar="DIR", help="folder with the jars of PACKAGES in lake.py")
    return p


def connect(jars, name="snapexport-example"):
    """A Spark session on this machine, bound to the loopback address, that knows Iceberg and S3."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = (SparkSession.builder.master("local[2]").appName(name)
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


@contextlib.contextmanager
def session(jars, spark=None):
    """The session that was handed in, or one that ends with the block."""
    if spark is not None:
        yield spark
        return
    spark = connect(jars)
    try:
        yield spark
    finally:
        spark.stop()


def read(spark, table, tag=None):
    """The table as it is, or as a Milvus snapshot left it."""
    reader = spark.read.format("iceberg")
    return (reader.option("tag", tag) if tag else reader).load(table)


def tags(spark, table):
    """The table's tags and the Iceberg snapshots that they name."""
    refs = spark.read.format("iceberg").load(table + "#refs").where("type = 'TAG'")
    return {r["name"]: r["snapshot_id"] for r in refs.collect()}


def snapshots(spark, table):
    """The table's Iceberg snapshots by id: parent_id, committed_at, summary."""
    return {r["snapshot_id"]: r for r in spark.read.format("iceberg").load(table + "#snapshots").collect()}


def named(spark, table, catalog="lake"):
    """The table's name for SQL, in a catalog that is nothing but the folder which the table lies in."""
    folder, _, name = table.rstrip("/").rpartition("/")
    for key, value in {"": "org.apache.iceberg.spark.SparkCatalog", ".type": "hadoop", ".warehouse": folder, ".cache-enabled": "false"}.items():
        spark.conf.set(f"spark.sql.catalog.{catalog}{key}", value)
    return f"{catalog}.`{name}`"


def fingerprint(table):
    """A SQL expression for 64 bits that tell one version of a row from another: columns and whether they are NULL, which xxhash64 skips."""
    parts = []
    for name, kind in table.dtypes:
        if name.startswith("_change") or name == "_commit_snapshot_id":
            continue
        column = f"`{name}`"
        value = f"sort_array(map_entries({column}))" if kind.startswith("map<") else f"to_json({column})" if kind == "variant" else column
        parts += [value, f"isnull({column})"]
    return f"xxhash64({', '.join(parts)})"


def check(columns, table):
    """Ends the script unless the table has the columns; None is no column."""
    for c in columns:
        if c is not None and c not in table.columns:
            sys.exit(f"the table has no column {c}; it has {', '.join(table.columns)}")


def show(title, names, rows):
    """Prints a small table: numbers to the right, columns at least two spaces apart."""
    rows = [[_text(v) for v in row] for row in rows]
    right = [all(_number(row[i]) for row in rows) for i in range(len(names))]
    widths = [max(len(row[i]) for row in [list(names), *rows]) for i in range(len(names))]
    print(f"\n== {title}")
    for row in [names, *rows]:
        print("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right)).rstrip())


def _text(value):
    return "-" if value is None else "%.6f" % value if isinstance(value, float) else str(value)


def _number(text):
    return text == "-" or text.lstrip("-").replace(".", "", 1).isdigit()

"""Spark on this machine: two threads, loopback only, with the jars of the settings on its class path."""
import shutil
import tempfile

import pyarrow as pa
import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def arrow(frame):
    """The frame as an Arrow table, variants as JSON text."""
    if any(f.dataType.typeName() == "variant" for f in frame.schema):
        frame = frame.select([F.to_json("`%s`" % f.name).alias(f.name) if f.dataType.typeName() == "variant" else F.col("`%s`" % f.name) for f in frame.schema])
    if hasattr(frame, "toArrow"):
        return frame.toArrow()
    # Spark 3.5 hands over batches; a frame without rows has none, and so its columns come without types
    batches = frame._collect_as_arrow()
    return pa.Table.from_batches(batches, batches[0].schema if batches else pa.schema([(name, pa.null()) for name in frame.columns]))


class Engine:
    def __init__(self, settings):
        self.scratch = tempfile.mkdtemp(prefix="snapexport-spark-")
        builder = SparkSession.builder.master("local[2]").appName("snapexport-tests")
        for key, value in {
            "spark.driver.extraClassPath": settings["jars"] + "/*",
            "spark.driver.memory": "2g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": self.scratch,
            "spark.sql.warehouse.dir": self.scratch + "/warehouse",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.attempts.maximum": "3",
        }.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")
        self.version = "spark " + pyspark.__version__
        self.s3 = None
        self.before = {}

    def configure(self, s3, conf):
        """Settings hold for one request: what the last one set is put back."""
        for key, value in self.before.items():
            if value is None:
                self.session.conf.unset(key)
            else:
                self.session.conf.set(key, value)
        if s3 and s3 != self.s3:
            self.use(s3)
        self.before = {key: self.session.conf.get(key, None) for key in conf}
        for key, value in conf.items():
            self.session.conf.set(key, value)

    def use(self, s3):
        hadoop = self.session.sparkContext._jsc.hadoopConfiguration()
        hadoop.set("fs.s3a.endpoint", s3["endpoint"])
        hadoop.set("fs.s3a.endpoint.region", s3["region"])
        hadoop.set("fs.s3a.access.key", s3["access_key"])
        hadoop.set("fs.s3a.secret.key", s3["secret_key"])
        hadoop.set("fs.s3a.connection.ssl.enabled", str(s3["endpoint"].startswith("https")).lower())
        # File systems are cached by bucket, not by endpoint: those of another server must go.
        self.session._jvm.org.apache.hadoop.fs.FileSystem.closeAll()
        # Iceberg's catalog of paths keeps the settings of when the session first used it.
        self.session = self.session.newSession()
        self.s3 = s3

    def frame(self, uri, ref, data):
        if data:
            return self.session.read.parquet(self.files(uri))
        if "/" in uri:
            reader = self.session.read.format("iceberg")
            return (reader.option("tag", ref) if ref else reader).load(uri)
        return self.session.sql("SELECT * FROM %s" % uri + (" VERSION AS OF '%s'" % ref if ref else ""))

    def files(self, uri):
        """The data folder of a table, or the folder or file itself where there is none."""
        path = self.session._jvm.org.apache.hadoop.fs.Path(uri.rstrip("/") + "/data")
        there = path.getFileSystem(self.session.sparkContext._jsc.hadoopConfiguration()).exists(path)
        return path.toString() if there else uri

    def read(self, uri, ref, data, columns, where=None):
        frame = self.frame(uri, ref, data)
        if where:
            frame = frame.filter((F.col(where["column"]) >= where["from"]) & (F.col(where["column"]) < where["to"]))
        return arrow(frame.select(["`%s`" % c for c in columns]) if columns else frame)

    def query(self, uri, ref, data, sql):
        if uri:
            self.frame(uri, ref, data).createOrReplaceTempView("t")
        return arrow(self.session.sql(sql))

    def close(self):
        self.session.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

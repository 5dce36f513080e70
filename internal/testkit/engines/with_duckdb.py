"""DuckDB, with its extensions loaded from the wheels that carry them; nothing is fetched."""
import glob
import importlib
import os
from urllib.parse import urlparse

import duckdb

import with_pyarrow
import with_pyiceberg


def connect():
    """A connection in UTC with the extensions that Iceberg tables on S3 need."""
    con = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name in ("httpfs", "avro", "iceberg"):
        folder = os.path.dirname(importlib.import_module("duckdb_extension_" + name).__file__)
        (path,) = glob.glob(folder + "/extensions/*/*.duckdb_extension")
        con.execute("LOAD '%s'" % path)
    con.execute("SET TimeZone = 'UTC'")
    return con


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def as_text(name, kind):
    """A column of the type; a variant as JSON text."""
    name = '"%s"' % name.replace('"', '""')
    return "CASE WHEN %s IS NOT NULL THEN CAST(CAST(%s AS JSON) AS VARCHAR) END AS %s" % (name, name, name) if kind == "VARIANT" else name


class Engine:
    version = "duckdb " + duckdb.__version__

    def __init__(self, settings):
        self.con = connect()
        self.iceberg = with_pyiceberg.Engine(settings)
        self.s3 = None

    def configure(self, s3, conf):
        self.iceberg.configure(s3, {})
        for key, value in conf.items():
            self.con.execute("SET %s = %s" % (key, quoted(value)))
        if s3 and s3 != self.s3:
            end = urlparse(s3["endpoint"])
            self.con.execute("CREATE OR REPLACE SECRET s3 (TYPE s3, KEY_ID %s, SECRET %s, ENDPOINT %s, REGION %s, URL_STYLE 'path', USE_SSL %s)" % (
                quoted(s3["access_key"]), quoted(s3["secret_key"]), quoted(end.netloc), quoted(s3["region"]), end.scheme == "https"))
            self.s3 = s3

    def source(self, uri, ref, data):
        """The table function of a table."""
        if data:
            filesystem, root = self.iceberg.files.locate(uri)
            scheme = "" if urlparse(uri).scheme in ("", "file") else "s3://"
            files = [scheme + f for f in with_pyarrow.data_files(filesystem, root)]
            return "read_parquet([%s], hive_partitioning = false)" % ", ".join(quoted(f) for f in files)
        if not ref:
            return "iceberg_scan(%s)" % quoted(uri)
        found = self.iceberg.table(uri).snapshot_by_name(ref)
        if found is None:
            raise ValueError("the table has no tag or branch %s" % ref)
        return "iceberg_scan(%s, snapshot_from_id = %d)" % (quoted(uri), found.snapshot_id)

    def read(self, uri, ref, data, columns, where=None):
        source = self.source(uri, ref, data)
        found = self.con.execute("DESCRIBE SELECT * FROM %s" % source).fetchall()
        names = [as_text(name, kind) for name, kind, *_ in found if not columns or name in columns]
        rows = ' WHERE "%s" >= %d AND "%s" < %d' % (where["column"], where["from"], where["column"], where["to"]) if where else ""
        return self.con.execute("SELECT %s FROM %s%s" % (", ".join(names), source, rows)).to_arrow_table()

    def query(self, uri, ref, data, sql):
        if uri:
            self.con.execute("CREATE OR REPLACE TEMP VIEW t AS SELECT * FROM %s" % self.source(uri, ref, data))
        return self.con.execute(sql).to_arrow_table()

    def close(self):
        self.con.close()

"""pyiceberg: the table as its metadata says it is; by its root folder, or by the URI of a metadata.json."""
import pyiceberg
from pyiceberg.table import ALWAYS_TRUE, StaticTable

import with_pyarrow


class Engine:
    version = "pyiceberg " + pyiceberg.__version__

    def __init__(self, settings):
        self.files = with_pyarrow.Engine(settings)
        self.properties = {}

    def configure(self, s3, conf):
        self.files.configure(s3, conf)
        self.properties = dict(conf)
        if s3:
            self.properties |= {"s3.endpoint": s3["endpoint"], "s3.access-key-id": s3["access_key"],
                                "s3.secret-access-key": s3["secret_key"], "s3.region": s3["region"]}

    def table(self, uri):
        return StaticTable.from_metadata(uri, self.properties)

    def read(self, uri, ref, data, columns, where=None):
        if data:
            return self.files.read(uri, ref, data, columns, where)
        table = self.table(uri)
        snapshot = None
        if ref:
            found = table.snapshot_by_name(ref)
            if found is None:
                raise ValueError("the table has no tag or branch %s" % ref)
            snapshot = found.snapshot_id
        rows = "%s >= %d AND %s < %d" % (where["column"], where["from"], where["column"], where["to"]) if where else ALWAYS_TRUE
        return table.scan(row_filter=rows, selected_fields=tuple(columns or ("*",)), snapshot_id=snapshot).to_arrow()

    def query(self, uri, ref, data, sql):
        raise ValueError("pyiceberg has no SQL")

    def close(self):
        pass

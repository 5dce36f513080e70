"""pyarrow: every Parquet file below the table's data folder. Right only for tables that were never rewritten."""
import os
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq


def data_files(filesystem, root):
    """The paths of the Parquet files below root/data, or below root where there is no such folder; or root itself, if it
    is a file."""
    info = filesystem.get_file_info(root)
    if info.type == fs.FileType.File:
        return [root]
    data = root.rstrip("/") + "/data"
    if filesystem.get_file_info(data).type == fs.FileType.NotFound:
        data = root
    found = filesystem.get_file_info(fs.FileSelector(data, recursive=True))
    return sorted(f.path for f in found if f.type == fs.FileType.File and f.path.endswith(".parquet") and "/metadata/" not in f.path)


def relaxed(t):
    """The type with everything in it nullable: files of one table may differ in what they require."""
    if pa.types.is_list(t):
        return pa.list_(pa.field(t.value_field.name, relaxed(t.value_type)))
    if pa.types.is_fixed_size_list(t):
        return pa.list_(pa.field(t.value_field.name, relaxed(t.value_type)), t.list_size)
    if pa.types.is_struct(t):
        return pa.struct([pa.field(t.field(i).name, relaxed(t.field(i).type)) for i in range(t.num_fields)])
    if pa.types.is_map(t):
        return pa.map_(relaxed(t.key_type), pa.field("value", relaxed(t.item_type)))
    return t


class Engine:
    version = "pyarrow " + pa.__version__

    def __init__(self, settings):
        self.s3 = None

    def configure(self, s3, conf):
        self.s3 = s3

    def locate(self, uri):
        """(file system, path) of a URI."""
        u = urlparse(uri)
        if u.scheme in ("", "file"):
            return fs.LocalFileSystem(), os.path.abspath(u.path)
        s3, end = self.s3, urlparse(self.s3["endpoint"])
        return fs.S3FileSystem(access_key=s3["access_key"], secret_key=s3["secret_key"], region=s3["region"],
                               endpoint_override=end.netloc, scheme=end.scheme), u.netloc + u.path

    def read(self, uri, ref, data, columns, where=None):
        if ref:
            raise ValueError("pyarrow reads files, it knows no %s" % ref)
        filesystem, root = self.locate(uri)
        files = data_files(filesystem, root)
        if not files:
            raise FileNotFoundError("no Parquet file below %s" % root)
        if where:
            field = ds.field(where["column"])
            return ds.dataset(files, filesystem=filesystem, format="parquet").to_table(columns=columns, filter=(field >= where["from"]) & (field < where["to"]))
        tables = []
        for path in files:
            with filesystem.open_input_file(path) as f:
                table = pq.ParquetFile(f).read(columns=columns)
            tables.append(table.cast(pa.schema([pa.field(f.name, relaxed(f.type)) for f in table.schema])))
        return pa.concat_tables(tables)

    def query(self, uri, ref, data, sql):
        raise ValueError("pyarrow has no SQL")

    def close(self):
        pass

"""polars: the Parquet files of the data folder, or the table as its metadata says, both by polars' own reader."""
import polars as pl
import pyarrow as pa

import with_pyarrow
import with_pyiceberg


def plain(a):
    """The array in the types that other engines give: polars has 64-bit offsets, and for a map a list of its entries."""
    t = a.type
    if pa.types.is_large_string(t) or pa.types.is_large_binary(t):
        return a.cast(pa.string() if pa.types.is_large_string(t) else pa.binary())
    if pa.types.is_large_list(t):
        a = a.cast(pa.list_(t.value_field))
        t = a.type
    if pa.types.is_list(t):
        first, last = (a.offsets[0].as_py(), a.offsets[-1].as_py()) if len(a) else (0, 0)
        offsets = pa.array([o - first for o in a.offsets.to_pylist()], pa.int32())
        values, mask = plain(a.values.slice(first, last - first)), a.is_null()
        if pa.types.is_struct(t.value_type) and [f.name for f in t.value_type] == ["key", "value"]:
            at = pa.array([None if null else o for null, o in zip(mask.to_pylist() + [False], offsets.to_pylist())], pa.int32())
            return pa.MapArray.from_arrays(at, values.field(0), values.field(1))
        return pa.ListArray.from_arrays(offsets, values, mask=mask if a.null_count else None)
    if pa.types.is_struct(t):
        return pa.StructArray.from_arrays([plain(f) for f in a.flatten()], [f.name for f in t], mask=a.is_null() if a.null_count else None)
    return a


def arrow(frame):
    """The frame as an Arrow table."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.table([plain(pa.concat_arrays(c.chunks) if c.num_chunks else pa.array([], c.type)) for c in table.columns], names=table.column_names)


class Engine:
    version = "polars " + pl.__version__

    def __init__(self, settings):
        self.iceberg = with_pyiceberg.Engine(settings)

    def configure(self, s3, conf):
        self.iceberg.configure(s3, conf)

    def frame(self, uri, ref, data):
        if not data:
            if ref:
                raise ValueError("only the newest snapshot is asked for")
            return pl.scan_iceberg(self.iceberg.table(uri), reader_override="native")
        filesystem, root = self.iceberg.files.locate(uri)
        return pl.scan_parquet(with_pyarrow.data_files(filesystem, root), hive_partitioning=False)

    def read(self, uri, ref, data, columns, where=None):
        frame = self.frame(uri, ref, data)
        if where:
            frame = frame.filter((pl.col(where["column"]) >= where["from"]) & (pl.col(where["column"]) < where["to"]))
        return arrow((frame.select(columns) if columns else frame).collect())

    def query(self, uri, ref, data, sql):
        return arrow(pl.SQLContext(t=self.frame(uri, ref, data)).execute(sql, eager=True))

    def close(self):
        pass

"""A data source for PySpark 4: ``spark.read.format("snapexport")`` reads a snapshot without a table in between.

    from snapexport.spark import SnapexportDataSource

    spark.dataSource.register(SnapexportDataSource)
    frame = spark.read.format("snapexport").option("where", "price < 10").load("s3://bucket#docs/latest")

Each partition of the frame is one run of the program on an executor, over some of the snapshot's segments. Columns are pruned by
a schema of your own, ``.schema("id long, title string")``, or the option ``columns``; rows by the option ``where``. The other
options are flags of ``snapexport cat``: ``.option("s3-endpoint", "...")``. ``rows-per-partition`` (default one million) says how
segments are put together.

A name such as ``latest`` is resolved once, on the driver; executors read the metadata file that was found. A snapshot of a running
Milvus should be pinned while the frame is used (``client.pin_snapshot_data``).
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Sequence

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from . import rows

ROWS_PER_PARTITION = 1_000_000
_OWN = {"path", "columns", "where", "rows-per-partition", "rows_per_partition"}


class Segments(InputPartition):
    """Some segments of the snapshot, which one task reads."""

    def __init__(self, ids: Sequence[int]):
        super().__init__(tuple(ids))
        self.ids = tuple(ids)


class SnapexportDataSource(DataSource):
    """The live rows of a Milvus snapshot."""

    @classmethod
    def name(cls) -> str:
        return "snapexport"

    def _settings(self) -> Dict[str, Any]:
        out = {k.replace("-", "_"): v for k, v in self.options.items() if k not in _OWN}
        return {k: True if v == "true" else v for k, v in out.items() if v != "false"}

    def _source(self) -> str:
        source = self.options.get("path")
        if not source:
            raise ValueError('name the snapshot: .load("s3://bucket#docs/latest")')
        return source

    def schema(self) -> StructType:
        with rows.scan(self._source(), self._columns(), self.options.get("where"), limit=1, **self._settings()) as reader:
            return from_arrow_schema(_spark_schema(reader.schema))

    def _columns(self) -> Any:
        names = self.options.get("columns")
        return [n.strip() for n in names.split(",")] if names else None

    def reader(self, schema: StructType) -> "SnapexportReader":
        settings = self._settings()
        report = rows.describe(self._source(), segments=True, **{k: v for k, v in settings.items() if k in _DESCRIBES})
        # of a snapshot by its exact file: "latest" may be another one later
        source = report["location"]["uri"] if report["kind"] == "snapshot" else self._source()
        size = int(self.options.get("rows-per-partition") or self.options.get("rows_per_partition") or ROWS_PER_PARTITION)
        return SnapexportReader(source, schema.names, self.options.get("where"), settings, _pack(report["segments"], size))


_DESCRIBES = {"allow_prefix", "config", "map", "memory", "password_file", "s3_endpoint", "s3_path_style", "s3_profile", "s3_region", "store"}


def _pack(segments: List[Dict[str, Any]], rows_per_partition: int) -> List[List[int]]:
    """Put segments together in their order, up to so many rows. Segments without rows, such as L0's, are not read by themselves."""
    out: List[List[int]] = []
    held = 0
    for s in segments:
        if s["rows"] == 0:
            continue
        if not out or held + s["rows"] > rows_per_partition:
            out.append([])
            held = 0
        out[-1].append(s["id"])
        held += s["rows"]
    return out


class SnapexportReader(DataSourceReader):
    """Reads the snapshot by its segments."""

    def __init__(self, source: str, columns: Sequence[str], where: Any, settings: Dict[str, Any], tasks: List[List[int]]):
        self._source, self._columns, self._where, self._settings, self._tasks = source, list(columns), where, settings, tasks

    def partitions(self) -> Sequence[InputPartition]:
        return [Segments(ids) for ids in self._tasks]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if not isinstance(partition, Segments):  # a snapshot without rows: Spark asks all the same
            return
        fields = [c for c in self._columns if not c.startswith("_milvus_")]  # the others come by the option "with"
        reader = rows.scan(self._source, fields, self._where, segments=partition.ids, **self._settings)
        schema = _spark_schema(reader.schema)
        order = [reader.schema.get_field_index(c) for c in self._columns]
        for batch in reader:
            yield pa.RecordBatch.from_arrays([_spark_array(batch.column(i), schema.field(i).type) for i in order], schema=pa.schema([schema.field(i) for i in order]))


def _spark_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, _spark_type(f.type), f.nullable) for f in schema])


def _spark_type(t: pa.DataType) -> pa.DataType:
    """The Arrow type that Spark has one of its own for: lists without a fixed size, signed numbers, binary of any length."""
    if pa.types.is_fixed_size_list(t) or pa.types.is_list(t) or pa.types.is_large_list(t):
        return pa.list_(pa.field("element", _spark_type(t.value_type), t.value_field.nullable))
    if pa.types.is_map(t):
        return pa.map_(_spark_type(t.key_type), pa.field("value", _spark_type(t.item_type), t.item_field.nullable))
    if pa.types.is_struct(t):
        return pa.struct([pa.field(f.name, _spark_type(f.type), f.nullable) for f in t])
    if pa.types.is_fixed_size_binary(t):
        return pa.binary()
    wider = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0), pa.float16(): pa.float32()}
    return wider.get(t, t)


def _spark_array(array: pa.Array, want: pa.DataType) -> pa.Array:
    if array.type.equals(want):
        return array
    return array.cast(want)

"""Reads a snapshot by the package of python/ and compares with the Parquet files of an export: rows.py SOURCE PARQUET [spark]."""
import os
import sys
import warnings

import pyarrow as pa
import pyarrow.parquet as pq

import snapexport


def rows(table):
    """The table's rows as sorted tuples; vectors as tuples of numbers."""

    def plain(v):
        return tuple(map(plain, v)) if isinstance(v, (list, tuple)) else v

    names = sorted(table.column_names)
    return sorted((tuple(plain(v) for v in r) for r in zip(*(table.column(n).to_pylist() for n in names))), key=repr)


def refused(call, error_class, text):
    try:
        call()
    except snapexport.SnapexportError as e:
        assert e.error_class == error_class and text in str(e), (e.error_class, str(e))
        return
    raise AssertionError(f"no {error_class}")


def python(source, truth):
    report = snapexport.describe(source, segments=True)
    assert report["totals"]["segments"] == len(report["segments"]) > 1, report["totals"]

    reader = snapexport.scan(source)
    assert isinstance(reader, pa.RecordBatchReader)
    assert pa.types.is_fixed_size_list(reader.schema.field("v").type), reader.schema
    assert rows(reader.read_all()) == rows(truth)
    some = snapexport.scan(source, ["id", "v"], "id < 50", with_=["segment"]).read_all()
    assert some.column_names == ["id", "v", "_milvus_segment"], some.column_names
    assert rows(some.select(["id", "v"])) == [r for r in rows(truth.select(["id", "v"])) if r[0] < 50]
    parts = [snapexport.scan(source, segments=[s["id"]]).read_all() for s in report["segments"]]
    assert rows(pa.concat_tables(parts)) == rows(truth)
    assert snapexport.scan(source, limit=3).read_all().num_rows == 3

    frame = snapexport.to_pandas(source, ["id", "v"])
    assert sorted(frame["id"]) == sorted(truth.column("id").to_pylist()) and frame["v"][0].dtype.name == "float32"
    polars = snapexport.to_polars(source, ["id", "v"])
    assert sorted(polars["id"].to_list()) == sorted(truth.column("id").to_pylist()) and polars["v"].dtype.is_nested()

    with snapexport.scan(source) as early:  # given up: the program must end
        early.read_next_batch()
    refused(lambda: snapexport.scan(source, ["nothing"]), "usage", "nothing")
    refused(lambda: snapexport.describe(source + "x"), "ErrMissing", "")
    done = snapexport.export(source, to=os.path.join(os.environ["OUT"], "table"), where="id < 50")
    assert done["rows_written"] == some.num_rows and done["metadata_location"], done


def damaged(source):
    """Of a file that is cut off, no rows are passed for all of them."""
    try:
        snapexport.scan(source).read_all()
    except snapexport.SnapexportError as e:
        assert e.error_class in ("ErrCorrupt", "ErrMissing"), e
        return
    raise AssertionError("a damaged snapshot was read")


def spark(source, truth):
    from pyspark.sql import SparkSession

    from snapexport.spark import SnapexportDataSource

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.dataSource.register(SnapexportDataSource)
    frame = session.read.format("snapexport").option("rows-per-partition", "30").load(source)
    assert frame.rdd.getNumPartitions() > 1
    assert rows(frame.toArrow()) == rows(truth)
    pruned = session.read.format("snapexport").option("where", "id < 50").schema("v array<float>, id bigint").load(source)
    assert pruned.columns == ["v", "id"]
    assert rows(pruned.toArrow()) == [r for r in rows(truth.select(["id", "v"])) if r[0] < 50]
    system = session.read.format("snapexport").option("with", "segment,time").option("columns", "id").load(source)
    assert system.where("_milvus_segment is null or _milvus_time is null").count() == 0 and system.count() == truth.num_rows
    none = session.read.format("snapexport").option("where", "id < -1").load(source)
    assert none.count() == 0
    try:
        session.read.format("snapexport").load(source + "x").count()
    except Exception as e:
        assert "ErrMissing" in str(e) or "snapexport" in str(e), e
    else:
        raise AssertionError("no error")
    session.stop()


warnings.simplefilter("error", ResourceWarning)
if sys.argv[2] == "damaged":
    damaged(sys.argv[1])
else:
    {"python": python, "spark": spark}[sys.argv[3]](sys.argv[1], pq.read_table(sys.argv[2]))
print("ok")

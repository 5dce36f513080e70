"""Snapshots as Arrow, pandas, polars, or a table, by the program ``snapexport``, without a cluster and without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Sequence

import pyarrow as pa

from .program import Run, ask, flags

if TYPE_CHECKING:
    import pandas
    import polars


def describe(source: str, **settings: Any) -> Dict[str, Any]:
    """Say where a snapshot is and what is in it, from metadata alone: what ``snapexport describe --json`` prints.

    Args:
        source: The snapshot, in any form of the command line: ``"s3://bucket#docs/latest"``, the path of a metadata file,
            ``"milvus://host/docs/backup_20240101"``, ``"backup:URI#docs"``, ``"etcd://..."``.
        settings: Flags of the command line with ``_`` for ``-``: ``segments=True``, ``check=True``, ``s3_endpoint="..."``.

    Raises:
        SnapexportError: The snapshot could not be resolved.
    """
    return ask("describe", source, *flags(settings))


def scan(source: str, columns: Optional[Sequence[str]] = None, where: Optional[str] = None, **settings: Any) -> pa.RecordBatchReader:
    """Read a snapshot's live rows, in order of segments, batch by batch; memory stays bounded (``memory="512MiB"``).

    Vectors are fixed-size lists of numbers, sparse vectors maps of index and value, JSON is text. The batches' bytes are those
    that the program wrote: nothing is copied in Python but from the pipe.

    Args:
        source: The snapshot; see ``describe``.
        columns: Fields to read. Default: all.
        where: A filter in Milvus's language: ``'price < 10 and tag in ["a", "b"]'``. Files that it rules out are not read.
        settings: Flags of ``snapexport cat`` with ``_`` for ``-``: ``partitions=["p1"]``, ``with_=["segment", "time"]``,
            ``dedupe="newest"``, ``limit=100``.

    Returns:
        A reader. If it is dropped before its end, the program is ended.

    Raises:
        SnapexportError: Here, or from the reader if the program fails later: then what was read so far is not all.
    """
    run = Run("cat", source, "--format=arrow", *flags({"columns": _list(columns), "where": where, **{k: _list(v) if k in _LISTS else v for k, v in settings.items()}}))
    try:
        stream = pa.ipc.open_stream(run.stdout)
    except pa.ArrowInvalid:
        run.finish()  # raises what the program said
        raise
    except BaseException:
        run.kill()
        raise
    return pa.RecordBatchReader.from_batches(stream.schema, _batches(run, stream))


_LISTS = {"partitions", "with_", "segments"}  # of which one flag takes several, separated by commas


def _list(names: Any) -> Optional[str]:
    if names is None or isinstance(names, str):
        return names
    return ",".join(str(n) for n in names)


def _batches(run: Run, stream: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    done = False
    try:
        try:
            yield from stream
        except pa.ArrowInvalid:  # cut off: the program's own error tells more
            done = True
            run.finish()
            raise
        done = True
        run.finish()
    finally:
        if not done:
            run.kill()


def to_pandas(source: str, columns: Optional[Sequence[str]] = None, where: Optional[str] = None, **settings: Any) -> "pandas.DataFrame":
    """Read a snapshot's live rows into a pandas frame; vectors are numpy arrays. Arguments as of ``scan``."""
    return scan(source, columns, where, **settings).read_all().to_pandas(split_blocks=True, self_destruct=True)


def to_polars(source: str, columns: Optional[Sequence[str]] = None, where: Optional[str] = None, **settings: Any) -> "polars.DataFrame":
    """Read a snapshot's live rows into a polars frame; vectors are polars arrays. Arguments as of ``scan``."""
    import polars

    frame = polars.from_arrow(scan(source, columns, where, **settings).read_all())
    assert isinstance(frame, polars.DataFrame)
    return frame


def export(source: str, to: Optional[str] = None, columns: Optional[Sequence[str]] = None, where: Optional[str] = None, **settings: Any) -> Dict[str, Any]:
    """Write a snapshot's live rows to an Iceberg table, in one commit, tagged with the snapshot's name.

    Args:
        source: The snapshot; see ``describe``.
        to: Path or URI of the table. Default: the snapshot's own table, of a ``milvus://`` source that has one.
        columns: Fields to write. Default: all.
        where: A filter in Milvus's language.
        settings: Flags of ``snapexport export`` with ``_`` for ``-``: ``format="parquet"``, ``dry_run=True``, ``workers=4``.

    Returns:
        What ``snapexport export --json`` prints: ``rows_written``, ``metadata_location``, ``content_hash``, ...

    Raises:
        SnapexportError: Nothing was committed, or the message says that this is not known.
    """
    return ask("export", source, *flags({"to": to, "columns": _list(columns), "where": where, **{k: _list(v) if k in _LISTS else v for k, v in settings.items()}}))

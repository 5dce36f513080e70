"""Milvus snapshots from Python.

Their rows, without a cluster:

>>> import snapexport
>>> snapexport.describe("s3://bucket#docs/latest")["totals"]
>>> snapexport.to_pandas("s3://bucket#docs/latest", columns=["id", "vec"], where="price < 10")
>>> snapexport.export("s3://bucket#docs/latest", to="s3a://lake/docs")

And the snapshots themselves, by pymilvus (``pip install snapexport[milvus]``):

>>> from snapexport import MilvusClient
>>> client = MilvusClient(uri="http://localhost:19530")
>>> client.create_snapshot("backup_20240101", "my_collection")
>>> job_id = client.restore_snapshot("backup_20240101", "restored_collection")
"""

from typing import TYPE_CHECKING, Any

from .program import SnapexportError, SnapexportWarning
from .rows import describe, export, scan, to_pandas, to_polars

if TYPE_CHECKING:
    from .client import MilvusClient, RestoreFailed, SnapshotInfo

__all__ = [
    "MilvusClient", "RestoreFailed", "SnapexportError", "SnapexportWarning", "SnapshotInfo", "describe", "export", "scan", "to_pandas", "to_polars",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # pymilvus takes a second to import, and executors do not have it
    if name in ("MilvusClient", "RestoreFailed", "SnapshotInfo"):
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

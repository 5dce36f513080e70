"""Milvus snapshots from Python.

>>> from snapexport import MilvusClient
>>> client = MilvusClient(uri="http://localhost:19530")
>>> client.create_snapshot("backup_20240101", "my_collection")
>>> job_id = client.restore_snapshot("backup_20240101", "restored_collection")
>>> client.drop_snapshot("backup_20240101")
"""

from .client import MilvusClient, RestoreFailed, SnapshotInfo

__all__ = ["MilvusClient", "RestoreFailed", "SnapshotInfo"]
__version__ = "0.1.0"

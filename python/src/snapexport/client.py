"""pymilvus's client with the signatures of Milvus's snapshot guide.

The guide was written for an earlier protocol, in which the name of a snapshot was unique in its database. Milvus 3.0 wants the
collection, too; here it may be left out, and is then looked up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional

import pymilvus
from pymilvus.client.call_context import CallContext
from pymilvus.client.types import RestoreSnapshotJobInfo
from pymilvus.client.types import SnapshotInfo as _SnapshotInfo
from pymilvus.exceptions import MilvusException, ParamError


@dataclass
class SnapshotInfo(_SnapshotInfo):
    """What the server says of a snapshot; pymilvus's class with one attribute more.

    Attributes:
        collection_info: The snapshot's collection as ``describe_collection`` returns it, if it was asked for; else empty.
            It is the collection as it is now: fields that were added after the snapshot are in it.
    """

    collection_info: Dict[str, Any] = field(default_factory=dict)


class RestoreFailed(MilvusException):
    """A restore has ended without success. The message is the server's reason; the target does not exist."""


class MilvusClient(pymilvus.MilvusClient):
    """``pymilvus.MilvusClient``, whose snapshot calls also take the arguments of the guide.

    Calls that are written for pymilvus 3.0 mean the same here.
    """

    def restore_snapshot(  # type: ignore[override]
        self,
        snapshot_name: str,
        collection_name: str = "",
        target_collection_name: str = "",
        source_db_name: str = "",
        target_db_name: str = "",
        timeout: Optional[float] = None,
        *,
        source_collection_name: str = "",
        **kwargs: Any,
    ) -> int:
        """Begin to restore a snapshot as a new collection.

        Args:
            snapshot_name: The snapshot.
            collection_name: The collection to make, which must not exist. With a ``target_collection_name``, which comes
                third in pymilvus's own order of arguments, this is the snapshot's collection.
            target_collection_name: The collection to make, in pymilvus's form of the call.
            source_db_name: The snapshot's database; default: that of the connection.
            target_db_name: The target's database; default: the server's choice, which is the source's.
            timeout: Seconds for each call.
            source_collection_name: The snapshot's collection. Without it the database is searched.

        Returns:
            The number of the job, for ``get_restore_snapshot_state`` or ``wait_for_restore``.

        Raises:
            ParamError: No target was named, or no collection or several have such a snapshot.
            MilvusException: The server refused.
        """
        source, target = source_collection_name, target_collection_name
        if collection_name and target:
            if source:
                raise ParamError(message="name the target once: collection_name or target_collection_name")
            source = collection_name
        target = target or collection_name
        if not target:
            raise ParamError(message="collection_name, the collection to restore to, is missing")
        return super().restore_snapshot(
            snapshot_name=snapshot_name,
            source_collection_name=source or self._collection_of(snapshot_name, source_db_name, timeout),
            target_collection_name=target,
            source_db_name=source_db_name,
            target_db_name=target_db_name,
            timeout=timeout,
            **kwargs,
        )

    def drop_snapshot(
        self, snapshot_name: str, collection_name: str = "", db_name: str = "", timeout: Optional[float] = None, **kwargs: Any
    ) -> None:
        """Drop a snapshot, and the table that was exported to its place.

        Args:
            snapshot_name: The snapshot.
            collection_name: Its collection. Without it the database is searched.
            db_name: Its database; default: that of the connection.
            timeout: Seconds for the call.

        Raises:
            ParamError: No collection or several have such a snapshot, and none was named.
            MilvusException: The server refused; the snapshot may be pinned, or a restore reads it.
        """
        super().drop_snapshot(snapshot_name, collection_name or self._collection_of(snapshot_name, db_name, timeout), db_name=db_name, timeout=timeout, **kwargs)

    def describe_snapshot(
        self,
        snapshot_name: str,
        collection_name: str = "",
        db_name: str = "",
        timeout: Optional[float] = None,
        include_collection_info: bool = False,
        **kwargs: Any,
    ) -> SnapshotInfo:
        """Say where a snapshot is.

        Args:
            snapshot_name: The snapshot.
            collection_name: Its collection. Without it the database is searched.
            db_name: Its database; default: that of the connection.
            timeout: Seconds for each call.
            include_collection_info: Also ask for the collection's schema and put it into ``collection_info``.

        Returns:
            The reply. Of ``snapexport serve``, ``s3_location`` is the root of the snapshot's table: after an export
            ``s3a://{s3_location}/binlogs/`` is a directory of Parquet files. Of Milvus, it is the metadata file.

        Raises:
            ParamError: No collection or several have such a snapshot, and none was named.
            MilvusException: The server refused.
        """
        collection = collection_name or self._collection_of(snapshot_name, db_name, timeout)
        found = super().describe_snapshot(snapshot_name, collection, db_name=db_name, timeout=timeout, **kwargs)
        about: Dict[str, Any] = {}
        if include_collection_info:
            about = self._describe_collection(found.collection_name or collection, db_name, timeout)
        return SnapshotInfo(**vars(found), collection_info=about)

    def pin_snapshot_data(
        self,
        snapshot_name: str,
        collection_name: str = "",
        db_name: str = "",
        ttl_seconds: int = 0,
        timeout: Optional[float] = None,
        **kwargs: Any,
    ) -> int:
        """Keep a snapshot from being dropped.

        Args:
            snapshot_name: The snapshot.
            collection_name: Its collection. Without it the database is searched.
            db_name: Its database; default: that of the connection.
            ttl_seconds: When the pin ends by itself; 0 leaves it to the server.
            timeout: Seconds for the call.

        Returns:
            The pin, for ``unpin_snapshot_data``.
        """
        collection = collection_name or self._collection_of(snapshot_name, db_name, timeout)
        return super().pin_snapshot_data(snapshot_name, collection, db_name=db_name, ttl_seconds=ttl_seconds, timeout=timeout, **kwargs)

    def wait_for_restore(
        self, job_id: int, timeout: Optional[float] = None, progress: Optional[Callable[[RestoreSnapshotJobInfo], None]] = None
    ) -> RestoreSnapshotJobInfo:
        """Wait until a restore has ended.

        Args:
            job_id: What ``restore_snapshot`` returned.
            timeout: Seconds to wait; default: for ever. The restore goes on after it.
            progress: Told of every state that the server reports.

        Returns:
            The last state, of a restore that succeeded.

        Raises:
            RestoreFailed: The restore failed.
            TimeoutError: It has not ended in time.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.02
        while True:
            state = self.get_restore_snapshot_state(job_id=job_id)
            if progress is not None:
                progress(state)
            if state.state == "RestoreSnapshotCompleted":
                return state
            if state.state == "RestoreSnapshotFailed":
                raise RestoreFailed(message=f"restore {job_id} of {state.snapshot_name} to {state.collection_name} failed: {state.reason}")
            if end is not None and time.monotonic() + pause > end:
                raise TimeoutError(f"restore {job_id} is at {state.progress} % after {timeout} s, and goes on")
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _collection_of(self, snapshot_name: str, db_name: str, timeout: Optional[float]) -> str:
        """Find the one collection of the database that has a snapshot of that name."""
        wanted = snapshot_name.strip()
        having: List[str] = []
        connection = self._get_connection()
        for collection in connection.list_collections(timeout=timeout, context=self._context(db_name)):
            if wanted in self.list_snapshots(collection_name=collection, db_name=db_name, timeout=timeout):
                having.append(collection)
        if not having:
            raise ParamError(message=f"snapshot not found: no collection of the database has a snapshot {snapshot_name!r}")
        if len(having) > 1:
            raise ParamError(message=f"several collections have a snapshot {snapshot_name!r}: {', '.join(sorted(having))}; say which")
        return having[0]

    def _describe_collection(self, collection: str, db_name: str, timeout: Optional[float]) -> Dict[str, Any]:
        """``describe_collection`` of any database: pymilvus asks that of the connection alone."""
        if not db_name:
            return self.describe_collection(collection, timeout=timeout)
        return self._get_connection().describe_collection(collection, timeout=timeout, context=self._context(db_name))

    def _context(self, db_name: str) -> CallContext:
        """The context of a call about a database."""
        return CallContext(db_name=db_name) if db_name else self._generate_call_context()

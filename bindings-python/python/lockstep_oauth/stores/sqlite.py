"""Records in one SQLite file: durable, shared by all processes of one machine.

Every acknowledged commit is on the disk (``synchronous=FULL`` over a write-ahead log). Do not put the file on a network
file system: SQLite's locks do not work there. What expired more than a day ago is removed along the way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._native import Record
from ..errors import ConfigurationError, StoreError
from . import KEPT_SECONDS

if TYPE_CHECKING:
    from .._native import Write
    from . import Committed

__all__ = ["SQLiteStore"]

logger = logging.getLogger("lockstep_oauth")

APPLICATION_ID = 0x4C4B5354
"""Marks the file as ours ("LKST"), so that `file` and we can tell."""
SCHEMA_VERSION = 1
PURGE_EVERY_SECONDS = 600
PURGED_AT_ONCE = 500
"""At most so many records are removed at a time, so that no request waits for a long purge."""
START_SECONDS = 15.0
"""How long a start may wait for other processes that create the same file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lockstep_records (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    subject TEXT,
    client TEXT
);
CREATE INDEX IF NOT EXISTS lockstep_records_subject ON lockstep_records (subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS lockstep_records_expires_at ON lockstep_records (expires_at);
"""
_INSERT = (
    "INSERT INTO lockstep_records (version, value, expires_at, subject, client, key) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key) DO NOTHING"
)
_UPDATE = (
    "UPDATE lockstep_records SET version = ?, value = ?, expires_at = ?, subject = ?, client = ? WHERE key = ? AND version = ?"
)
_LOAD = "SELECT key, version, value, expires_at FROM lockstep_records WHERE key IN (%s)"
_LOAD_ONE = "SELECT version, value, expires_at FROM lockstep_records WHERE key = ?"
_LIST = "SELECT key, version, value, expires_at FROM lockstep_records WHERE subject = ?"
_PURGE = "DELETE FROM lockstep_records WHERE key IN (SELECT key FROM lockstep_records WHERE expires_at < ? LIMIT ?)"

_NOTHING_WAS_WRITTEN = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SQLiteStore:
    """Records in one SQLite file, created with mode 0600.

    ``durable=False`` gives up ``synchronous=FULL``: a power cut may then lose the last acknowledged writes, so that a
    revoked or rotated token comes back to life. ``busy_seconds`` is how long a write waits for those of other processes.
    """

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True, busy_seconds: float = 5.0) -> None:
        self.path = Path(path)
        self._durable = durable
        self._busy_seconds = busy_seconds
        if sqlite3.sqlite_version_info < (3, 24):
            raise ConfigurationError("store", f"SQLite {sqlite3.sqlite_version} is too old; 3.24 or newer is needed")
        if not durable:
            logger.warning("%s: durable=False, so a power cut may bring revoked and rotated tokens back to life", self.path)
        self._reset()
        _stores.add(self)
        self._create()

    def _reset(self) -> None:
        # One connection reads and one writes, so that a read never waits for the disk. Each has a lock of its own.
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._purge_at = time.monotonic() + PURGE_EVERY_SECONDS
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False

    @property
    def commit_executor(self) -> ThreadPoolExecutor:
        """The one thread in which async hosts wait for the disk."""
        executor = self._executor
        if executor is None:
            with self._writing:
                executor = self._executor = self._executor or ThreadPoolExecutor(1, "lockstep-sqlite")
        return executor

    def load(self, keys: Sequence[str]) -> list[Record | None]:
        """Return the record, or None, of each key in order."""
        try:
            with self._reading:
                reader = self._reader or self._open_reader()
                if len(keys) == 1:
                    row = reader.execute(_LOAD_ONE, keys).fetchone()
                    return [row and Record(*row)]
                rows = reader.execute(_LOAD % ",".join("?" * len(keys)), keys).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        found = {row[0]: Record(row[1], row[2], row[3]) for row in rows}
        return [found.get(key) for key in keys]

    def commit(self, write: Write) -> Committed:
        """Put one record if the key is as expected. One statement is one transaction, on the disk when it returns."""
        values = (write.version, write.value, write.expires_at, write.subject, write.client, write.key)
        with self._writing:
            try:
                writer = self._writer or self._open_writer()
            except sqlite3.Error as error:
                logger.error("%s cannot be opened, nothing was written: %s", self.path, error)
                return "conflict"
            try:
                if write.expect is None:
                    changed = writer.execute(_INSERT, values).rowcount
                else:
                    changed = writer.execute(_UPDATE, (*values, write.expect)).rowcount
            except sqlite3.Error as error:
                return self._failed(error)
            if changed == 1:
                self._purge_sometimes(writer)
                return "committed"
            return "conflict"

    def _failed(self, error: sqlite3.Error) -> Committed:
        logger.error("%s could not be written: %s", self.path, error)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOTHING_WAS_WRITTEN:
            return "conflict"
        # After any other fault nothing is known, of the write and of the connection alike.
        writer, self._writer = self._writer, None
        if writer is not None:
            _close(writer)
        return "unknown"

    def list(self, subject: str) -> list[tuple[str, Record]]:
        """Return keys and records labelled with the subject."""
        try:
            with self._reading:
                rows = (self._reader or self._open_reader()).execute(_LIST, (subject,)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from error
        return [(row[0], Record(row[1], row[2], row[3])) for row in rows]

    def purge(self, now: int) -> int:
        """Remove records that expired more than a day before ``now``; return how many."""
        removed = 0
        try:
            while True:
                with self._writing:
                    changed = (self._writer or self._open_writer()).execute(_PURGE, (now - KEPT_SECONDS, PURGED_AT_ONCE)).rowcount
                removed += changed
                if changed < PURGED_AT_ONCE:
                    return removed
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be purged: {error}") from error

    def _purge_sometimes(self, writer: sqlite3.Connection) -> None:
        if time.monotonic() < self._purge_at:
            return
        try:
            changed = writer.execute(_PURGE, (int(time.time()) - KEPT_SECONDS, PURGED_AT_ONCE)).rowcount
        except sqlite3.Error as error:
            logger.warning("%s could not be purged: %s", self.path, error)
            changed = 0
        if changed < PURGED_AT_ONCE:
            self._purge_at = time.monotonic() + PURGE_EVERY_SECONDS

    def close(self) -> None:
        """Close the file. A commit that runs is waited for; later calls fail."""
        with self._writing:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)
        with self._reading, self._writing:
            self._closed = True
            for connection in (self._reader, self._writer):
                if connection is not None:
                    _close(connection)
            self._reader = self._writer = None

    def _create(self) -> None:
        try:
            # SQLite would create it readable for all; the log and the index beside it inherit the mode. A file that is there
            # is not touched: to close it would drop the locks of every other connection of this process.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with self._writing:
                self._open_first()
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError("store", f"{self.path} cannot be opened: {error}") from error

    def _open_first(self) -> None:
        # Several processes may create the same file at once. SQLite does not let all of what they do wait in line: turning
        # the write-ahead log on, and the first transaction after it, may fail at once.
        until = time.monotonic() + max(self._busy_seconds, START_SECONDS)
        while True:
            try:
                self._prepare(self._open_writer())
                return
            except sqlite3.OperationalError as error:
                if self._writer is not None:
                    _close(self._writer)
                    self._writer = None
                if error.sqlite_errorcode & 0xFF not in _NOTHING_WAS_WRITTEN or time.monotonic() > until:
                    raise
            time.sleep(0.01)

    def _prepare(self, writer: sqlite3.Connection) -> None:
        writer.execute("BEGIN IMMEDIATE")
        try:
            version: int = writer.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise ConfigurationError("store", f"{self.path} was written by a newer version of lockstep-oauth")
            if version < SCHEMA_VERSION:
                for statement in _SCHEMA.split(";"):
                    writer.execute(statement)
                writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise

    def _open_reader(self) -> sqlite3.Connection:
        self._reader = self._connect()
        self._reader.execute("PRAGMA query_only = ON")
        return self._reader

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._connect()
        try:
            mode = writer.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.Error:
            _close(writer)
            raise
        if mode != "wal":
            _close(writer)
            raise ConfigurationError("store", f"{self.path} cannot have a write-ahead log; put it on a local disk")
        writer.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        self._writer = writer
        return writer

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the store is closed")
        connection = sqlite3.connect(
            # A URI, so that a file that vanished is an error and not an empty store.
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        if self._durable:
            # On macOS only this reaches the disk; elsewhere it does nothing.
            connection.execute("PRAGMA fullfsync = ON")
        return connection


def _close(connection: sqlite3.Connection) -> None:
    try:
        connection.close()
    except sqlite3.Error as error:
        logger.warning("a SQLite connection could not be closed: %s", error)


_stores: weakref.WeakSet[SQLiteStore] = weakref.WeakSet()
_inherited: list[Any] = []


def _forget_inherited() -> None:
    """SQLite's connections must not be used, nor even closed, on the other side of a fork: the child opens its own."""
    for store in list(_stores):
        _inherited.append((store._reader, store._writer, store._executor))
        store._reset()


os.register_at_fork(after_in_child=_forget_inherited)

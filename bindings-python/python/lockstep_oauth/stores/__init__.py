"""Stores: two operations, ``load`` and a conditional ``commit``.

The contract, which ``lockstep_oauth.stores.check`` holds any store to:

- ``load(keys)`` returns, for each key in order, its record or None. What an acknowledged commit wrote is seen by every
  later load, of any process. An expired record may be returned.
- ``commit(write)`` puts one record if, and only if, the key is absent (``expect`` is None) or exactly at version
  ``expect``, in one atomic step, and says what happened: ``"committed"`` (applied, durably), ``"conflict"`` (nothing was
  written) or ``"unknown"`` (it may have been). It never retries by itself.
- Nothing else changes a record. One may be removed a day after its ``expires_at``, and not before.
- ``list(subject)`` is for pages of the host: keys and records whose last write carried that subject.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from ..errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from .._native import Record, Write
    from .memory import MemoryStore
    from .sqlite import SQLiteStore

__all__ = ["AnyStore", "AsyncStore", "Committed", "MemoryStore", "SQLiteStore", "Store", "StoreError", "open_store"]

Committed: TypeAlias = Literal["committed", "conflict", "unknown"]

KEPT_SECONDS = 86_400
"""How long a record outlives its expiry before a store may remove it."""


@runtime_checkable
class Store(Protocol):
    """A store whose methods return at once or block. They are called from any thread."""

    def load(self, keys: Sequence[str]) -> list[Record | None]:
        """Return the record, or None, of each key in order. Raises StoreError when it cannot be read."""
        ...

    def commit(self, write: Write) -> Committed:
        """Put one record if the key is as expected."""
        ...

    def list(self, subject: str) -> list[tuple[str, Record]]:
        """Return keys and records labelled with the subject."""
        ...

    def purge(self, now: int) -> int:
        """Remove records that expired more than a day before ``now``; return how many."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """The same, as coroutines. The driver awaits them."""

    def load(self, keys: Sequence[str]) -> Awaitable[list[Record | None]]: ...
    def commit(self, write: Write) -> Awaitable[Committed]: ...
    def list(self, subject: str) -> Awaitable[list[tuple[str, Record]]]: ...
    def purge(self, now: int) -> Awaitable[int]: ...
    def close(self) -> Awaitable[None]: ...


AnyStore: TypeAlias = Store | AsyncStore


def open_store(where: str | AnyStore) -> AnyStore:
    """Open the store that a URL names; a store object is returned as it is.

    ``memory:`` forgets everything at the end of the process. ``sqlite:///oauth.db`` is a file beside the working
    directory's, ``sqlite:////var/lib/app/oauth.db`` an absolute path.
    """
    if isinstance(where, os.PathLike):
        raise ConfigurationError("store", f"a URL or a store object, not a path; write sqlite:///{os.fspath(where)} or SQLiteStore(path)")
    if isinstance(where, type):
        raise ConfigurationError("store", f"a store object, not a class; write {where.__name__}(...)")
    if not isinstance(where, str):
        missing = [name for name in ("load", "commit", "list", "purge", "close") if not callable(getattr(where, name, None))]
        if missing:
            raise ConfigurationError("store", f"{type(where).__name__} lacks {', '.join(missing)}; see lockstep_oauth.stores.Store")
        return where
    if where in ("memory:", "memory://"):
        from .memory import MemoryStore

        return MemoryStore()
    scheme, colon, path = where.partition(":")
    if scheme == "sqlite" and colon:
        from .sqlite import SQLiteStore

        if path.startswith("//"):
            host, _, path = path[2:].partition("/")
            if host:
                raise ConfigurationError("store", f"`{where}` has two slashes; write sqlite:///{'/'.join(filter(None, (host, path)))} for a relative path")
        if path and path != ":memory:":
            return SQLiteStore(path)
    raise ConfigurationError("store", f"`{where}` is not a store; use sqlite:///oauth.db, memory: or a Store object")


def __getattr__(name: str) -> object:
    if name == "MemoryStore":
        from .memory import MemoryStore

        return MemoryStore
    if name == "SQLiteStore":
        from .sqlite import SQLiteStore

        return SQLiteStore
    raise AttributeError(name)

"""Records in this process's memory: for tests, and for servers whose tokens may die with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import KEPT_SECONDS

if TYPE_CHECKING:
    from .._native import Record, Write
    from . import Committed

__all__ = ["MemoryStore"]

_PURGE_EVERY_SECONDS = 600


class MemoryStore:
    """A dict under a lock. It forgets everything at the end of the process, and no other process sees it."""

    def __init__(self) -> None:
        self._writes: dict[str, Write] = {}
        self._records: dict[str, Record] = {}
        self._lock = threading.Lock()
        self._purge_at = time.monotonic() + _PURGE_EVERY_SECONDS

    def load(self, keys: Sequence[str]) -> list[Record | None]:
        """Return the record, or None, of each key in order."""
        # One dict look-up is atomic, with and without the GIL, and each record is whole by itself.
        return list(map(self._records.get, keys))

    def commit(self, write: Write) -> Committed:
        """Put one record if the key is as expected."""
        key = write.key
        with self._lock:
            if time.monotonic() >= self._purge_at:
                self._purge_at = time.monotonic() + _PURGE_EVERY_SECONDS
                self._purge(int(time.time()))
            stored = self._records.get(key)
            if (None if stored is None else stored.version) != write.expect:
                return "conflict"
            self._records[key] = write.record
            self._writes[key] = write
            return "committed"

    def list(self, subject: str) -> list[tuple[str, Record]]:
        """Return keys and records labelled with the subject."""
        with self._lock:
            return [(key, write.record) for key, write in self._writes.items() if write.subject == subject]

    def purge(self, now: int) -> int:
        """Remove records that expired more than a day before ``now``; return how many."""
        with self._lock:
            return self._purge(now)

    def _purge(self, now: int) -> int:
        old = [key for key, record in self._records.items() if record.expires_at < now - KEPT_SECONDS]
        for key in old:
            del self._records[key]
            del self._writes[key]
        return len(old)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self._writes.clear()

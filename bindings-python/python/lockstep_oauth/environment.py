"""The clock and the entropy of one exchange."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["now", "peer_of", "seed"]

SEED_BYTES = 32
BLOCK_BYTES = 4096

_seeds: list[bytes] = []
os.register_at_fork(after_in_child=_seeds.clear)
# INVARIANT: a seed is used once. `list.pop` is atomic, so no lock is needed between threads, and a forked child starts
# with none of its parent's seeds.


def seed() -> bytes:
    """Return 32 bytes of the operating system's generator, read 4 KiB at a time."""
    try:
        return _seeds.pop()
    except IndexError:
        block = os.urandom(BLOCK_BYTES)
        _seeds.extend([block[at : at + SEED_BYTES] for at in range(SEED_BYTES, BLOCK_BYTES, SEED_BYTES)])
        return block[:SEED_BYTES]


def now() -> int:
    """Return whole seconds since 1970."""
    return int(time.time())


def peer_of(scope: Mapping[str, Any]) -> str:
    """Return the peer's address as the server saw it, for budgets and audit events; never out of a header."""
    client = scope.get("client")
    return str(client[0]) if client else ""

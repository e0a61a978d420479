"""The driver: one loop that serves every exchange, in two colours.

A host's world that breaks (a store that cannot be read, a decision that raises) is logged here and answered by the core,
with 503 or out of its cache. What the core asks and a host answers is data; nothing is decided here.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from ._native import Commit, Decide, Decision, Done, Fetch, Load
from .errors import FetchError, MisuseError, StoreError

if TYPE_CHECKING:
    from ._native import Allowed, AdmitQuestion, Answer, Budget, Exchange, FetchRequest, Operated, Write, _Question, _Step
    from .stores import AnyStore

__all__ = ["Fetcher", "Host", "drive", "drive_async"]

logger = logging.getLogger("lockstep_oauth")


class Fetcher(Protocol):
    """Sends the core's requests to other servers, within their limits. See ``lockstep_oauth.fetch``."""

    def fetch(self, request: FetchRequest) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return status, raw header pairs and body, or raise FetchError."""
        ...

    async def fetch_async(self, request: FetchRequest) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Do the same without blocking."""
        ...


class Host(Protocol):
    """What the driver needs."""

    @property
    def store(self) -> AnyStore: ...
    @property
    def fetcher(self) -> Fetcher: ...
    @property
    def budget(self) -> Budget: ...
    def decide(self, question: Any) -> Decision | Awaitable[Decision]:
        """Answer a question; an exception counts as "the host could not decide"."""
        ...


def drive(exchange: Exchange, host: Host) -> Answer | Allowed | Operated:
    """Move an exchange to its end. It blocks: for async hosts there is ``drive_async``."""
    step = exchange.step
    while True:
        kind = type(step)
        if kind is Done:
            return step.outcome  # type: ignore[union-attr]
        try:
            if kind is Load:
                step = exchange.loaded(_plain(host.store.load(step.keys)))  # type: ignore[union-attr]
            elif kind is Commit:
                step = exchange.committed(_plain(host.store.commit(step.write)))  # type: ignore[union-attr]
            elif kind is Fetch:
                step = exchange.fetched(*host.fetcher.fetch(step.request))  # type: ignore[union-attr]
            else:
                answer = _admitted(exchange, host, step) or host.decide(step.question)  # type: ignore[union-attr]
                step = exchange.decided(_plain(answer))
        except Exception as failure:
            step = _failed(exchange, step, failure)


async def drive_async(exchange: Exchange, host: Host) -> Answer | Allowed | Operated:
    """Move an exchange to its end.

    A store whose methods are coroutines is awaited. Of any other, ``load`` runs in line, and ``commit`` in a worker
    thread where the store says that it waits for a disk (``commit_blocks``).
    """
    step = exchange.step
    while True:
        kind = type(step)
        if kind is Done:
            return step.outcome  # type: ignore[union-attr]
        try:
            if kind is Load:
                records = host.store.load(step.keys)  # type: ignore[union-attr]
                step = exchange.loaded(records if type(records) is list else await records)  # type: ignore[misc]
            elif kind is Commit:
                step = exchange.committed(await _commit(host.store, step.write))  # type: ignore[union-attr]
            elif kind is Fetch:
                step = exchange.fetched(*await host.fetcher.fetch_async(step.request))  # type: ignore[union-attr]
            else:
                answer = _admitted(exchange, host, step) or host.decide(step.question)  # type: ignore[union-attr]
                step = exchange.decided(answer if type(answer) is Decision else await answer)  # type: ignore[misc]
        except Exception as failure:
            step = _failed(exchange, step, failure)

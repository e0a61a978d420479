"""The driver: one loop that serves every exchange, in two colours.

A host's world that breaks (a store that cannot be read, a decision that raises) is logged here and answered by the core,
with 503 or out of its cache. What the core asks and a host answers is data; nothing is decided here.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from ._native import AdmitQuestion, Commit, Decision, Done, Fetch, Load
from .errors import FetchError, MisuseError, OverBudgetError, StoreError, Undecided

if TYPE_CHECKING:
    from ._native import Allowed, Answer, Budget, Decide, Exchange, FetchRequest, Operated, Write, _Step
    from .stores import AnyStore

__all__ = ["Fetcher", "Host", "drive", "drive_async", "in_line"]

T = TypeVar("T")

logger = logging.getLogger("lockstep_oauth")


class Fetcher(Protocol):
    """Sends the core's requests to other servers, within their limits. See ``lockstep_oauth.fetch``."""

    def fetch(self, request: FetchRequest, admit: Callable[[], bool]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return status, raw header pairs and body, or raise FetchError.

        Ask ``admit`` directly before a request is really sent, and raise OverBudgetError when it says no.
        """
        ...

    async def fetch_async(self, request: FetchRequest, admit: Callable[[], bool]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
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
        """Answer a question. An exception counts as "could not decide" and is logged, unless it is an Undecided."""
        ...


def drive(exchange: Exchange, host: Host) -> Answer | Allowed | Operated:
    """Move an exchange to its end. It blocks: for async hosts there is ``drive_async``."""
    store = host.store
    while True:
        try:
            step = exchange.run(lambda keys: _plain(store.load(keys)), lambda write: _plain(store.commit(write)))
        except Exception as failure:
            step = _failed(exchange, exchange.step, failure)
        while not isinstance(step, (Load, Commit)):
            if isinstance(step, Done):
                return step.outcome
            try:
                if isinstance(step, Fetch):
                    step = exchange.fetched(*host.fetcher.fetch(step.request, _admission(exchange, host, step)))
                else:
                    step = exchange.decided(_admitted(exchange, host, step) or _plain(host.decide(step.question)))
            except Exception as failure:
                step = _failed(exchange, step, failure)


async def drive_async(exchange: Exchange, host: Host) -> Answer | Allowed | Operated:
    """Move an exchange to its end.

    A store whose methods are coroutines is awaited. Of any other, ``load`` runs in line, and ``commit`` in a thread of
    ``store.commit_executor`` where the store has one, because it waits for a disk.
    """
    load, commit = getattr(host, "in_line", None) or in_line(host.store)
    while True:
        try:
            step = exchange.run(load, commit)
        except Exception as failure:
            step = _failed(exchange, exchange.step, failure)
        if isinstance(step, Done):
            return step.outcome
        try:
            if isinstance(step, Load):
                if load is None:
                    records: Any = host.store.load(step.keys)
                    exchange.loaded(await records)
            elif isinstance(step, Commit):
                if commit is None:
                    exchange.committed(await _commit(host.store, step.write))
            elif isinstance(step, Fetch):
                exchange.fetched(*await host.fetcher.fetch_async(step.request, _admission(exchange, host, step)))
            else:
                decision = _admitted(exchange, host, step) or host.decide(step.question)
                exchange.decided(decision if isinstance(decision, Decision) else await decision)
        except Exception as failure:
            step = _failed(exchange, step, failure)
            if isinstance(step, Done):
                return step.outcome


def in_line(store: Any) -> tuple[Any, Any]:
    """Return the store's ``load`` and ``commit``, as far as they may be called where nothing may wait."""
    if inspect.iscoroutinefunction(store.load):
        return None, None
    commit = getattr(store, "commit", None)
    waits = inspect.iscoroutinefunction(commit) or getattr(store, "commit_executor", None) is not None
    return store.load, None if waits else commit


def _admitted(exchange: Exchange, host: Host, step: Decide) -> Decision | None:
    question = step.question
    if not isinstance(question, AdmitQuestion):
        return None
    admitted = host.budget.admit(question.key, question.limit, question.period_seconds, exchange.now)
    return Decision.allow() if admitted else Decision.refuse()


def _admission(exchange: Exchange, host: Host, step: Fetch) -> Callable[[], bool]:
    return lambda: host.budget.admit(*step.request.admission, exchange.now)


async def _commit(store: AnyStore, write: Write) -> str:
    executor = getattr(store, "commit_executor", None)
    if executor is not None:
        commit = cast("Callable[[Write], str]", store.commit)
        from asyncio import get_running_loop  # an async host has it already, and any other need not pay for it

        return await get_running_loop().run_in_executor(executor, commit, write)
    committed = store.commit(write)
    return committed if isinstance(committed, str) else await committed


def _plain(answer: T | Awaitable[T]) -> T:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise MisuseError("drive", "the host answers with a coroutine; use drive_async")
    return answer


def _failed(exchange: Exchange, step: _Step, failure: Exception) -> _Step:
    """Tell the core that the host's world failed. It is the core that knows what that means for the request."""
    if isinstance(step, Fetch):
        if isinstance(failure, OverBudgetError):
            return exchange.fetch_over_budget()
        if not isinstance(failure, FetchError):
            logger.error("a fetch from %s failed", step.request.url, exc_info=failure)
        return exchange.fetch_failed(str(failure) or type(failure).__name__)
    if isinstance(step, Load):
        logger.error("the store could not be read: %s", failure, exc_info=None if isinstance(failure, StoreError) else failure)
        return exchange.load_failed()
    if isinstance(step, Commit):
        # INVARIANT: whatever was raised, the write may have been applied.
        logger.error("a commit failed: %s", failure, exc_info=None if isinstance(failure, StoreError) else failure)
        return exchange.committed("unknown")
    if not isinstance(failure, Undecided):
        logger.error("a decision failed: %s", failure, exc_info=failure)
    return exchange.decide_failed()

"""The safe fetcher: it may be told to fetch any URL that a stranger names.

A name is resolved once, every address is checked by the core's rule, and the connection goes to a checked address: no
second resolution happens, so a rebinding name gains nothing. No redirect is followed, no proxy of the environment is
used, no cookie or credential is sent that the core did not write, and the whole fetch has one deadline and one limit on
received bytes. Equal fetches at the same time are one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeAlias

import httpcore

from ._native import address_permitted
from .errors import FetchError, OverBudgetError

if TYPE_CHECKING:
    from ._native import FetchRequest

__all__ = ["Fetched", "SafeFetcher"]

Fetched: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, raw header pairs, body."""
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""From a name and a port to numeric addresses."""

ADDRESSES_TRIED = 3
RESOLVED_AT_ONCE = 16
"""So many names may be on their way at a time. A stranger can name as many that never answer, and each holds a thread."""
HEADERS = [(b"accept-encoding", b"identity"), (b"connection", b"close"), (b"user-agent", b"lockstep-oauth")]


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


_resolving = threading.BoundedSemaphore(RESOLVED_AT_ONCE)


def _resolution(resolver: Resolver, host: str, port: int) -> Future[Sequence[str]]:
    """Begin to resolve a name, in a thread of its own: the host's threads are not for strangers to use up.

    The system's resolver knows no deadline; the thread is left behind when it takes too long.
    """
    answer: Future[Sequence[str]] = Future()
    answer.set_running_or_notify_cancel()  # so that one who stops waiting does not take the answer's place away
    if not _resolving.acquire(blocking=False):
        raise FetchError("too many names are being resolved")

    def ask() -> None:
        try:
            answer.set_result(resolver(host, port))
        except BaseException as failure:
            answer.set_exception(failure)
        finally:
            _resolving.release()

    try:
        threading.Thread(target=ask, name="lockstep-resolver", daemon=True).start()
    except BaseException:
        _resolving.release()
        raise
    return answer


def _forget_inherited() -> None:
    """Threads do not cross a fork, so neither do their places."""
    global _resolving
    _resolving = threading.BoundedSemaphore(RESOLVED_AT_ONCE)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)


def _always() -> bool:
    return True


class SafeFetcher:
    """Fetches what the core asks for, for async hosts and for others.

    ``ssl_context`` replaces the system's trust (a private authority, say); ``resolver`` replaces the system's resolver.
    What it returns is checked all the same.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, resolver: Resolver | None = None) -> None:
        self._ssl_context = ssl_context
        self._resolver = resolver or _resolve
        self._lock = threading.Lock()
        self._waiting: dict[FetchRequest, Future[Fetched]] = {}
        self._tasks: dict[tuple[asyncio.AbstractEventLoop, FetchRequest], asyncio.Task[Fetched]] = {}

    def fetch(self, request: FetchRequest, admit: Callable[[], bool] = _always) -> Fetched:
        """Fetch, or raise FetchError. It blocks, for no longer than the request's time-out.

        ``admit`` is asked once a fetch is really about to start: one that joins a fetch under way costs no budget.
        """
        deadline = time.monotonic() + request.timeout_ms / 1000
        mine: Future[Fetched] = Future()
        with self._lock:
            theirs = self._waiting.setdefault(request, mine)
        if theirs is not mine:
            try:
                return theirs.result(max(0.0, deadline - time.monotonic()))
            except FutureTimeoutError:
                raise FetchError("timed out") from None
        try:
            if not admit():
                raise OverBudgetError
            with _reasons():
                fetched = self._send(request, deadline)
        except BaseException as failure:
            self._settle(request).set_exception(failure)
            raise
        self._settle(request).set_result(fetched)
        return fetched

    async def fetch_async(self, request: FetchRequest, admit: Callable[[], bool] = _always) -> Fetched:
        """Fetch, or raise FetchError, without blocking."""
        loop = asyncio.get_running_loop()
        key = (loop, request)
        task = self._tasks.get(key)
        if task is None:
            if not admit():
                raise OverBudgetError
            task = self._tasks[key] = loop.create_task(self._fetch_by_deadline(request))
            task.add_done_callback(lambda done: self._forget(key, done))
        # A waiter that is cancelled does not take the fetch away from the others.
        return await asyncio.shield(task)

    def _forget(self, key: tuple[asyncio.AbstractEventLoop, FetchRequest], done: asyncio.Task[Fetched]) -> None:
        self._tasks.pop(key, None)
        if not done.cancelled():
            done.exception()  # looked at, so that asyncio does not complain when every waiter has gone away

    def _settle(self, request: FetchRequest) -> Future[Fetched]:
        with self._lock:
            return self._waiting.pop(request)

    def _send(self, request: FetchRequest, deadline: float) -> Fetched:
        backend = _Backend(request.addresses, deadline, self._resolver)
        with httpcore.ConnectionPool(network_backend=backend, ssl_context=self._context(), retries=0) as pool:
            with pool.stream(**_message(request)) as response:
                return _judged(request, response, _read(request, response.iter_stream()))

    async def _fetch_by_deadline(self, request: FetchRequest) -> Fetched:
        with _reasons():
            async with asyncio.timeout(request.timeout_ms / 1000):
                return await self._send_async(request)

    async def _send_async(self, request: FetchRequest) -> Fetched:
        backend = _AsyncBackend(request.addresses, self._resolver)
        context = self._ssl_context or await asyncio.get_running_loop().run_in_executor(None, self._context)
        async with httpcore.AsyncConnectionPool(network_backend=backend, ssl_context=context, retries=0) as pool:
            async with pool.stream(**_message(request)) as response:
                return _judged(request, response, await _read_async(request, response.aiter_stream()))

    def _context(self) -> ssl.SSLContext:
        # Reading the system's authorities takes tens of milliseconds, so it is done once.
        if self._ssl_context is None:
            context = httpcore.default_ssl_context()
            context.load_default_certs()
            self._ssl_context = context
        return self._ssl_context


def _message(request: FetchRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": [*request.headers, *HEADERS],
        "content": request.body or None,
    }


def _judged(request: FetchRequest, response: httpcore.Response, body: bytes) -> Fetched:
    for name, value in response.headers:
        if name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise FetchError("the body is encoded, although that was not accepted")
    return response.status, response.headers, body


class _Body:
    """Counts the bytes that really arrive; what a header says about them is not asked."""

    def __init__(self, request: FetchRequest) -> None:
        self._limit = request.limit_bytes
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._limit:
            raise FetchError(f"larger than {self._limit} bytes")
        self._parts.append(part)

    def whole(self) -> bytes:
        return b"".join(self._parts)


def _read(request: FetchRequest, parts: Iterable[bytes]) -> bytes:
    body = _Body(request)
    for part in parts:
        body.add(part)
    return body.whole()


async def _read_async(request: FetchRequest, parts: AsyncIterator[bytes]) -> bytes:
    body = _Body(request)
    async for part in parts:
        body.add(part)
    return body.whole()


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Give every failure of the network a reason for the operator."""
    try:
        yield
    except FetchError:
        raise
    except (TimeoutError, httpcore.TimeoutException):
        raise FetchError("timed out") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError, ValueError) as failure:
        raise FetchError(f"{type(failure).__name__}: {failure}"[:200]) from failure


def _permitted(host: str, rule: str, addresses: Iterable[str]) -> list[str]:
    """Keep the addresses that may be connected to. They are the only ones that ever are."""
    distinct = list(dict.fromkeys(addresses))
    permitted = [address for address in distinct if address_permitted(address, rule)]
    if not permitted:
        raise FetchError(f"{host} resolves to no permitted address ({', '.join(distinct[:4]) or 'none'})")
    return permitted[:ADDRESSES_TRIED]


class _Backend(httpcore.NetworkBackend):
    """Connects to checked addresses only, by a deadline."""

    def __init__(self, rule: str, deadline: float, resolver: Resolver) -> None:
        self._rule = rule
        self._deadline = deadline
        self._resolver = resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _permitted(host, self._rule, self._resolved(host, port))
        for position, address in enumerate(addresses, 1):
            # Each gets a fair share of what is left, so that a dead one does not use up all of it.
            share = _left(self._deadline) / (len(addresses) - position + 1)
            try:
                stream = self._sockets.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
            else:
                return _Stream(stream, self._deadline)
        raise FetchError("no address answered")

    def _resolved(self, host: str, port: int) -> Sequence[str]:
        try:
            return _resolution(self._resolver, host, port).result(_left(self._deadline))
        except FutureTimeoutError:
            raise FetchError("timed out while resolving") from None

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None) -> Any:
        raise FetchError("no local sockets")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchError("timed out")
    return left


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline, so that a trickle of bytes cannot stretch the fetch."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only. The deadline is a time-out around the whole fetch."""

    def __init__(self, rule: str, resolver: Resolver) -> None:
        self._rule = rule
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = _permitted(host, self._rule, await self._resolved(host, port))
        for position, address in enumerate(addresses, 1):
            try:
                return await self._sockets.connect_tcp(address, port, 5.0, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
        raise FetchError("no address answered")

    def _resolved(self, host: str, port: int) -> Awaitable[Sequence[str]]:
        return asyncio.wrap_future(_resolution(self._resolver, host, port))

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> Any:
        raise FetchError("no local sockets")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

"""The fetcher against servers that lie, stall and redirect, and against names that resolve to where they should not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from lockstep_oauth._native import FetchRequest, address_permitted
from lockstep_oauth.errors import FetchError
from lockstep_oauth.fetch import SafeFetcher

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Site:
    """A server on loopback that says, byte for byte, what it is told to."""

    def __init__(self, answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            received = b""
            while b"\r\n\r\n" not in received:
                part = connection.recv(65536)
                if not part:
                    return
                received += part
            self.requests.append(received)
            self._answer(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def open_site(answer: bytes | Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Site:
        def send(connection: socket.socket) -> None:
            connection.sendall(answer)  # type: ignore[arg-type]

        sites.append(Site(answer if callable(answer) else send, context))
        return sites[-1]

    yield open_site
    for one in sites:
        one.close()


def request(port: int, host: str = "127.0.0.1", scheme: str = "http", path: str = "/doc?a=%20b", **changes: Any) -> FetchRequest:
    return FetchRequest(f"{scheme}://{host}:{port}{path}", **{"addresses": "public_or_loopback", "timeout_ms": 3000, "limit_bytes": 1000, **changes})


def run(fetcher: SafeFetcher, wanted: FetchRequest, colour: str) -> Any:
    return fetcher.fetch(wanted) if colour == "sync" else asyncio.run(fetcher.fetch_async(wanted))


colours = pytest.mark.parametrize("colour", ["sync", "async"])


@colours
def test_a_document_is_fetched_as_asked(site: Any, colour: str) -> None:
    server = site(OK + b"Content-Length: 2\r\nX-A: \xff\r\n\r\n{}")
    status, headers, body = run(SafeFetcher(), request(server.port, headers=[("accept", "application/json")]), colour)
    assert (status, body) == (200, b"{}")
    assert (b"Content-Type", b"application/json") in headers
    lines = server.requests[0].decode().lower().split("\r\n")
    assert lines[0] == "get /doc?a=%20b http/1.1"
    assert f"host: 127.0.0.1:{server.port}" in lines
    assert {"accept: application/json", "accept-encoding: identity", "connection: close"} <= set(lines)
    assert not any(line.startswith(("cookie", "authorization", "referer")) for line in lines)


@colours
def test_a_form_is_posted_once(site: Any, colour: str) -> None:
    server = site(OK + b"Content-Length: 2\r\n\r\n{}")
    wanted = request(server.port, method="POST", body=b"a=b", headers=[("content-type", "application/x-www-form-urlencoded")])
    assert run(SafeFetcher(), wanted, colour)[0] == 200
    assert len(server.requests) == 1
    assert server.requests[0].lower().startswith(b"post ")
    assert b"content-length: 3" in server.requests[0].lower()


@colours
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(site: Any, colour: str, status: int) -> None:
    other = site(OK + b"\r\n{}")
    server = site(b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % (status, other.port))
    assert run(SafeFetcher(), request(server.port), colour)[0] == status
    assert other.requests == []


@colours
@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        OK + b"\r\n" + b"x" * 1001,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1001 + b"0\r\n\r\n",
        OK + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 5000,
    ],
)
def test_a_body_over_the_limit_is_a_failure(site: Any, colour: str, answer: bytes) -> None:
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        run(SafeFetcher(), request(site(answer).port), colour)


@colours
def test_a_body_of_exactly_the_limit_is_fine(site: Any, colour: str) -> None:
    assert len(run(SafeFetcher(), request(site(OK + b"\r\n" + b"x" * 1000).port), colour)[2]) == 1000


@colours
def test_an_endless_body_is_left_at_the_limit(site: Any, colour: str) -> None:
    sent = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(OK + b"\r\n")
        for _ in range(100_000):
            connection.sendall(b"x" * 1024)
            sent.append(1)

    with pytest.raises(FetchError, match="larger than"):
        run(SafeFetcher(), request(site(endless).port), colour)
    time.sleep(0.1)
    assert len(sent) < 50_000


@colours
@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 100\r\n\r\nshort",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        OK + b"Content-Length: -1\r\n\r\n{}",
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_a_message_that_lies_is_a_failure(site: Any, colour: str, answer: bytes) -> None:
    with pytest.raises(FetchError):
        run(SafeFetcher(), request(site(answer).port), colour)


def drip(head: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    return answer


@colours
@pytest.mark.parametrize(
    "answer", [drip(OK + b"\r\n"), drip(b"HTTP/1.1 200 OK\r\nX: "), drip(b""), lambda connection: time.sleep(5)], ids=["body", "header", "start", "silence"]
)
def test_one_deadline_holds_for_the_whole_fetch(site: Any, colour: str, answer: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(FetchError, match="timed out"):
        run(SafeFetcher(), request(site(answer).port, timeout_ms=300), colour)
    assert time.monotonic() - begun < 1.5


@colours
def test_a_resolver_that_hangs_is_left_behind(colour: str) -> None:
    released = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        released.wait(3)
        return []

    async def once() -> float:
        begun = time.monotonic()
        with pytest.raises(FetchError, match="timed out"):
            await SafeFetcher(resolver=hang).fetch_async(request(1, host="slow.example", timeout_ms=200))
        taken = time.monotonic() - begun
        released.set()
        return taken

    if colour == "async":
        assert asyncio.run(once()) < 1.5
        return
    begun = time.monotonic()
    with pytest.raises(FetchError, match="timed out"):
        SafeFetcher(resolver=hang).fetch(request(1, host="slow.example", timeout_ms=200))
    assert time.monotonic() - begun < 1.5
    released.set()


@pytest.mark.anyio
async def test_names_that_hang_do_not_use_up_the_threads_of_the_host() -> None:
    released = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        released.wait(5)
        return []

    fetcher = SafeFetcher(resolver=hang, ssl_context=ssl.create_default_context())
    before = threading.active_count()
    fetches = [asyncio.ensure_future(fetcher.fetch_async(request(1, host=f"h{number}.example", timeout_ms=500))) for number in range(100)]
    await asyncio.sleep(0.05)
    started = threading.active_count() - before
    try:
        # Where a synchronous `sign_in` runs, and whatever else the host does in threads.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 1) == "free"
        assert started <= 16
        failures = await asyncio.gather(*fetches, return_exceptions=True)
        assert all(isinstance(failure, FetchError) for failure in failures)
    finally:
        released.set()
    await asyncio.sleep(0.05)
    with pytest.raises(FetchError, match="no permitted address"):
        await fetcher.fetch_async(request(1, host="later.example", timeout_ms=500))


@colours
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0", "64:ff9b::7f00:1", "localhost", "0x7f.1", ""],
)
def test_a_name_that_resolves_inside_is_never_connected_to(site: Any, colour: str, address: str) -> None:
    server = site(OK + b"\r\n{}")
    fetcher = SafeFetcher(resolver=lambda host, port: [address])
    with pytest.raises(FetchError, match="no permitted address"):
        run(fetcher, request(server.port, host="evil.example", addresses="public"), colour)
    assert server.requests == []


@colours
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.0.0.1", "127.1"])
def test_an_address_in_the_url_is_checked_like_any_other(site: Any, colour: str, host: str) -> None:
    server = site(OK + b"\r\n{}")
    with pytest.raises(FetchError):
        run(SafeFetcher(), request(server.port, host=host, addresses="public"), colour)
    assert server.requests == []


@colours
def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(site: Any, colour: str) -> None:
    """Rebinding: the second answer, which nobody asks for, would lead inside."""
    server = site(OK + b"\r\n{}")
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    assert run(SafeFetcher(resolver=rebinding), request(server.port, host="rebind.example"), colour)[0] == 200
    assert asked == ["rebind.example"]
    assert f"host: rebind.example:{server.port}".encode() in server.requests[0].lower()


@colours
def test_a_forbidden_address_among_others_is_left_out_and_a_dead_one_is_passed_over(site: Any, colour: str) -> None:
    server = site(OK + b"\r\n{}")
    fetcher = SafeFetcher(resolver=lambda host, port: ["10.255.255.1", "127.0.0.2", "127.0.0.1", "127.0.0.1"])
    assert run(fetcher, request(server.port, host="mixed.example"), colour)[0] == 200


@colours
def test_the_proxies_of_the_environment_are_not_used(site: Any, colour: str, monkeypatch: Any) -> None:
    proxy, server = site(OK + b"\r\nproxy"), site(OK + b"\r\nserver")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert run(SafeFetcher(), request(server.port), colour)[2] == b"server"


@colours
def test_a_certificate_must_be_for_the_name_and_not_for_the_address(site: Any, colour: str) -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("good.example").configure_cert(serving)
    server = site(OK + b"Content-Length: 2\r\n\r\n{}", serving)
    fetcher = SafeFetcher(ssl_context=trust, resolver=lambda host, port: ["127.0.0.1"])
    assert run(fetcher, request(server.port, host="good.example", scheme="https"), colour)[0] == 200
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        run(fetcher, request(server.port, host="other.example", scheme="https"), colour)
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        run(SafeFetcher(resolver=lambda host, port: ["127.0.0.1"]), request(server.port, host="good.example", scheme="https"), colour)


def slow(connection: socket.socket) -> None:
    time.sleep(0.3)
    connection.sendall(OK + b"\r\n{}")


def test_equal_fetches_at_the_same_time_are_one(site: Any) -> None:
    server, fetcher = site(slow), SafeFetcher()

    async def many() -> list[Any]:
        return await asyncio.gather(*[fetcher.fetch_async(request(server.port)) for _ in range(20)])

    assert {fetched[2] for fetched in asyncio.run(many())} == {b"{}"}
    assert len(server.requests) == 1
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(fetcher.fetch(request(server.port))[2])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"{}"] * 20
    assert len(server.requests) == 2
    fetcher.fetch(request(server.port))
    assert len(server.requests) == 3, "an answer is not kept: that is the core's cache"


def test_a_failure_is_told_to_all_who_wait_and_not_kept(site: Any) -> None:
    server, fetcher = site(b"nonsense\r\n\r\n"), SafeFetcher()
    failures: list[FetchError] = []

    def fetch() -> None:
        try:
            fetcher.fetch(request(server.port))
        except FetchError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=fetch) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 5
    assert fetcher._waiting == {}
    assert fetcher._tasks == {}


def test_one_who_stops_waiting_does_not_stop_the_others(site: Any) -> None:
    server, fetcher = site(slow), SafeFetcher()

    async def two() -> Any:
        first = asyncio.create_task(fetcher.fetch_async(request(server.port)))
        second = asyncio.create_task(fetcher.fetch_async(request(server.port)))
        await asyncio.sleep(0.1)
        first.cancel()
        return await second

    assert asyncio.run(two())[2] == b"{}"
    assert len(server.requests) == 1


def test_requests_that_differ_in_any_part_are_not_one() -> None:
    base: dict[str, Any] = {"url": "https://a.example", "method": "GET", "headers": [("a", "b")], "body": b"", "limit_bytes": 1, "timeout_ms": 1}
    assert FetchRequest(**base) == FetchRequest(**base)
    assert hash(FetchRequest(**base)) == hash(FetchRequest(**base))
    for name, other in [("url", "https://b.example"), ("method", "POST"), ("headers", []), ("body", b"x"), ("limit_bytes", 2), ("timeout_ms", 2), ("addresses", "public_or_loopback")]:
        assert FetchRequest(**base) != FetchRequest(**{**base, name: other}), name


def test_the_rule_is_the_cores() -> None:
    assert address_permitted("8.8.8.8", "public")
    assert not address_permitted("127.0.0.1", "public")
    assert address_permitted("127.0.0.1", "public_or_loopback")
    assert not address_permitted("10.0.0.1", "public_or_loopback")

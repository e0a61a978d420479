"""What the core costs through Python, in microseconds of CPU time: ``python bench/cost.py``. Build with --release first."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from conftest import RESOURCE, Host, authorize, check, code_of, headers, make_server, redeem, tokens

from lockstep_oauth.drive import drive, drive_async
from lockstep_oauth.stores import SQLiteStore

ROUNDS = 5
SEED = os.urandom(32)
NOW = int(time.time())


def timed(name: str, work: Callable[[], Any], times: int) -> None:
    """Print the best of a few rounds: CPU time, because others may use the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time_ns()
        for _ in range(times):
            work()
        best = min(best, (time.process_time_ns() - begun) / times / 1000)
    print(f"{name:58} {best:8.2f} us")


async def timed_async(name: str, work: Callable[[], Awaitable[Any]], times: int) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time_ns()
        for _ in range(times):
            await work()
        best = min(best, (time.process_time_ns() - begun) / times / 1000)
    print(f"{name:58} {best:8.2f} us")


def each(name: str, make: Callable[[], Any], work: Callable[[Any], Any], times: int) -> None:
    """Time work on things that can be used once."""
    best = float("inf")
    for _ in range(ROUNDS):
        things = [make() for _ in range(times)]
        begun = time.process_time_ns()
        for thing in things:
            work(thing)
        best = min(best, (time.process_time_ns() - begun) / times / 1000)
    print(f"{name:58} {best:8.2f} us")


def main() -> None:
    """Measure each operation."""
    server, host = make_server(), Host()
    access = tokens(server, host)["access_token"]
    pairs = headers(
        authorization=f"Bearer {access}", content_type="application/json", content_length="120", accept_encoding="gzip, deflate",
        mcp_protocol_version="2025-11-25", mcp_session_id="0123456789abcdef0123456789abcdef", connection="keep-alive",
    )  # fmt: skip
    scopes = ["notes:read"]

    def begin() -> Any:
        return server.check(pairs, b"", RESOURCE, scopes, "192.0.2.1", NOW, SEED)

    timed("os.urandom(32) + int(time.time())", lambda: (os.urandom(32), int(time.time())), 20_000)
    timed("check: begin alone (10 headers)", begin, 20_000)
    timed("check: whole, no driver", lambda: (lambda e: e.loaded(host.store.load(e.step.keys)))(begin()), 20_000)
    timed("check: drive, memory", lambda: drive(begin(), host), 20_000)
    timed("check: drive, memory, and identity.subject, .scopes", lambda: (lambda i: (i.subject, i.scopes))(drive(begin(), host).identity), 20_000)
    expired = [(b"authorization", b"Bearer " + access[:-1].encode() + (b"A" if access[-1] != "A" else b"B"))]
    timed("check: forged token", lambda: drive(server.check(expired, b"", RESOURCE, scopes, "", NOW, SEED), host), 20_000)

    async def asynchronous() -> None:
        async def one() -> Any:
            return await drive_async(begin(), host)

        await timed_async("check: drive_async, memory", one, 20_000)

    asyncio.run(asynchronous())

    def code() -> Any:
        return redeem(server, code_of(drive(authorize(server), host)))

    timed("redeem: making the request in this benchmark", lambda: redeem(server, "lsc_x"), 2_000)
    each("redeem: drive, memory (request made before)", code, lambda exchange: drive(exchange, host), 2_000)
    server, host = make_server(), Host()
    form_headers = headers(content_type="application/x-www-form-urlencoded")

    def form() -> bytes:
        return f"grant_type=refresh_token&refresh_token={tokens(server, host)['refresh_token']}&client_id=demo".encode()

    def refreshed(body: bytes) -> Any:
        return drive(server.handle("POST", "/token", b"", form_headers, body, "192.0.2.1", NOW, os.urandom(32)), host)

    each("refresh: begin and drive, memory", form, refreshed, 1_000)
    timed("authorize: begin to redirect, host approves", lambda: drive(authorize(server), host), 2_000)

    with tempfile.TemporaryDirectory() as directory:
        host = Host(store=SQLiteStore(Path(directory) / "oauth.db"))
        access = tokens(server, host)["access_token"]
        timed("check: drive, SQLite", lambda: drive(check(server, access), host), 5_000)
        each("refresh: begin and drive, SQLite, CPU without the disk", form, refreshed, 100)
        host.store.close()


if __name__ == "__main__":
    main()

"""How much the bearer check adds to an empty ASGI route, in microseconds: ``python bench/bearer_check.py``."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from flow import Flow, browser, lockstep  # noqa: E402

CALLS, ROUNDS = 5_000, 15


async def empty(scope, receive, send):  # type: ignore[no-untyped-def]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def microseconds(app, token: str, method: str = "GET") -> float:  # type: ignore[no-untyped-def]
    headers = [
        (b"host", b"notes.example"), (b"user-agent", b"python-httpx/0.28.1"), (b"accept", b"application/json, text/event-stream"),
        (b"accept-encoding", b"gzip, deflate"), (b"connection", b"keep-alive"), (b"content-type", b"application/json"),
        (b"mcp-protocol-version", b"2026-07-28"), (b"authorization", f"Bearer {token}".encode()),
    ]  # fmt: skip
    base = {"type": "http", "method": method, "path": "/mcp", "raw_path": b"/mcp", "root_path": "", "query_string": b"", "headers": headers, "client": ("203.0.113.7", 4711)}
    statuses = set()

    async def receive():  # type: ignore[no-untyped-def]
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):  # type: ignore[no-untyped-def]
        if "status" in message:
            statuses.add(message["status"])

    rounds = []
    for _ in range(ROUNDS):
        scopes = [dict(base) for _ in range(CALLS)]
        started = time.process_time()
        for scope in scopes:
            await app(scope, receive, send)
        rounds.append((time.process_time() - started) / CALLS * 1e6)
    assert statuses == {200}, statuses
    return min(rounds)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("memory", "memory:"), ("sqlite", f"sqlite:///{folder}/oauth.db")):
            auth = lockstep(store=store)
            async with browser(auth.asgi()) as http:
                token = (await Flow(http).tokens())["access_token"]
            for method in ("GET", "POST"):
                bare = await microseconds(empty, token, method)
                guarded = await microseconds(auth.protect(empty, ["notes:read"]), token, method)
                print(f"{name:7} {method:5} empty {bare:5.2f}  guarded {guarded:6.2f}  added {guarded - bare:6.2f} µs")
            jwt = lockstep(store=store, access_token_format="jwt")
            async with browser(jwt.asgi()) as http:
                token = (await Flow(http).tokens())["access_token"]
            guarded = await microseconds(jwt.protect(empty, ["notes:read"]), token)
            print(f"{name:7} JWT   added {guarded - bare:6.2f} µs")


asyncio.run(main())

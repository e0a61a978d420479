"""A host of client documents and key sets on loopback that counts fetches and misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Fetch:
    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Reply:
    """One HTTP answer; `script` takes the connection over instead."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "application/json")])
    length: int | None = -1  # -1: the true one; None: no Content-Length at all
    delay: float = 0.0
    script: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


def json_reply(value: object, **more) -> Reply:
    return Reply(body=(value if isinstance(value, str) else json.dumps(value)).encode(), **more)


class DocumentHost:
    """`async with DocumentHost() as host:` listens on 127.0.0.1 (and ::1 if there is one) at a port of its own."""

    def __init__(self) -> None:
        self.fetches: list[Fetch] = []
        self.replies: dict[str, Reply] = {}
        self.port = 0
        self._servers: list[asyncio.Server] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def localhost(self) -> str:
        return f"http://localhost:{self.port}"

    async def __aenter__(self) -> DocumentHost:
        self._servers.append(await asyncio.start_server(self._answer, "127.0.0.1", 0))
        self.port = self._servers[0].sockets[0].getsockname()[1]
        try:
            self._servers.append(await asyncio.start_server(self._answer, "::1", self.port))
        except OSError:
            pass  # no IPv6 here, or the port is taken there
        return self

    async def __aexit__(self, *_) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Closes the listeners: from now on a connection is refused."""
        for server in self._servers:
            server.close()
        self._servers = []

    def serve(self, path: str, reply: Reply) -> str:
        self.replies[path] = reply
        return self.origin + path

    def document(self, path: str = "/oauth/client.json", *, client_id: str | None = None, **members) -> dict:
        """The members of a good document; a member given as None is left out."""
        value = {
            "client_id": client_id or self.origin + path,
            "client_name": "Blackbox client",
            "redirect_uris": [self.origin + "/cb"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        value.update(members)
        return {k: v for k, v in value.items() if v is not None}

    def publish(self, path: str = "/oauth/client.json", **members) -> str:
        """Serves a good document (with changes) and returns its client_id."""
        value = self.document(path, **members)
        self.serve(path, json_reply(value))
        return self.origin + path

    def count(self, path: str | None = None) -> int:
        return len([f for f in self.fetches if path is None or f.target.split("?")[0] == path])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ", 2)
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            self.fetches.append(Fetch(method, target, headers))
            reply = self.replies.get(target.split("?")[0], Reply(404, b"{}"))
            await asyncio.sleep(reply.delay)
            if reply.script:
                await reply.script(writer)
            else:
                writer.write(_bytes(reply))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            writer.close()


def _bytes(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} X"] + [f"{k}: {v}" for k, v in reply.headers] + ["Connection: close"]
    if reply.length is not None:
        lines.append(f"Content-Length: {len(reply.body) if reply.length < 0 else reply.length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + reply.body

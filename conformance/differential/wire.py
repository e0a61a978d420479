"""Requests as bytes, sent over a socket of their own, and the answers to them."""

from __future__ import annotations

import re
import shlex
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

SECONDS = 10
# What a URL may be made of, and is not encoded (RFC 3986 §3.3, §3.4), but for the apostrophe, which the URL standard encodes.
PLAIN = re.compile(rb"/[A-Za-z0-9._~!$&()*+,;=:@/?%-]*")
# What the HTTP servers add themselves.
OF_THE_SERVER = frozenset(("date", "server", "connection", "keep-alive", "transfer-encoding"))


@dataclass(frozen=True)
class Request:
    """One request, and what it is for."""

    purpose: str
    method: bytes
    path: bytes
    query: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    chunked: bool = False

    def having(self, *headers: tuple[bytes, bytes]) -> Request:
        return replace(self, headers=(*self.headers, *headers))

    def without(self, name: bytes) -> Request:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name))

    def folded(self) -> Request:
        """With one header of a name, as a web-standard Request has them (RFC 9110 §5.3, and RFC 6265 §5.4 for cookies)."""
        together: dict[bytes, tuple[bytes, bytes]] = {}
        for name, value in self.headers:
            first, before = together.get(name.lower(), (name, None))
            joint = b"; " if name.lower() == b"cookie" else b", "
            together[name.lower()] = (first, value if before is None else before.strip() + joint + value.strip())
        return replace(self, headers=tuple(together.values()))

    @property
    def is_url(self) -> bool:
        """Whether a URL keeps the target as it is: others are written anew when a web-standard Request is made of them."""
        segments = self.path.lower().replace(b"%2e", b".").split(b"/")
        return PLAIN.fullmatch(self.target) is not None and not {b".", b".."} & set(segments)

    @property
    def target(self) -> bytes:
        return self.path if self.query is None else self.path + b"?" + self.query

    def as_bytes(self, stamp: str) -> bytes:
        headers = [(b"Host", b"as.example"), (b"X-Differential", stamp.encode()), (b"Connection", b"close"), *self.headers]
        body = self.body
        if self.chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
            half = len(body) // 2
            parts = [part for part in (body[:half], body[half:]) if part]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif body or self.method in (b"POST", b"PUT", b"PATCH"):
            headers.append((b"Content-Length", b"%d" % len(body)))
        head = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.method, self.target, head, body)

    def as_curl(self, stamp: str, base: str = "$HOST") -> str:
        """The request as a command that a person can read, and mostly run: bytes that are no text are shown as Latin-1."""
        words = ["curl", "--path-as-is", "-i", "-X", self.method.decode("latin-1"), "-H", f"X-Differential: {stamp}"]
        for name, value in self.headers:
            words += ["-H", f"{name.decode('latin-1')}: {value.decode('latin-1')}"]
        if self.chunked:
            words += ["-H", "Transfer-Encoding: chunked"]
        if self.body:
            shown = self.body if len(self.body) <= 4096 else self.body[:200] + b"... (%d bytes)" % len(self.body)
            words += ["--data-binary", shown.decode("latin-1")]
        return shlex.join(words) + f" '{base}{self.target.decode('latin-1')}'"


@dataclass(frozen=True)
class Answer:
    """An answer as far as both hosts have to agree on it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def measured(self) -> Answer:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != "content-length"))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def differences(self, other: Answer, streamed: bool = False) -> list[str]:
        """How they differ. What was streamed has no length where it is chunked."""
        told = []
        if streamed and (self.header("content-length") is None) != (other.header("content-length") is None):
            return self.measured().differences(other.measured())
        if self.status != other.status:
            told.append(f"status: {self.status} and {other.status}")
        here, there = Counter(self.headers), Counter(other.headers)
        told += [f"only the first: {name}: {value}" for name, value in (here - there).elements()]
        told += [f"only the second: {name}: {value}" for name, value in (there - here).elements()]
        if self.body != other.body:
            at = next((i for i, (a, b) in enumerate(zip(self.body, other.body)) if a != b), min(len(self.body), len(other.body)))
            told.append(f"body, from byte {at}: {self.body[max(0, at - 20) : at + 60]!r} and {other.body[max(0, at - 20) : at + 60]!r}")
        return told


def send(port: int, request: bytes, method: bytes) -> Answer | None:
    """One request on a new connection, and its answer; None when there was none."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        try:
            connection.sendall(request)
        except OSError:
            pass  # the host has refused it before it was whole; its answer is there all the same
        try:
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
    if not received:
        return None
    return read(received, method)


def read(received: bytes, method: bytes) -> Answer:
    """An answer out of its bytes, however long its headers are."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    if 100 <= status < 200:
        return read(body, method)
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    if ("transfer-encoding", "chunked") in pairs and method != b"HEAD":
        body = b"".join(chunks(body))
    return Answer(status, tuple(sorted(pair for pair in pairs if pair[0] not in OF_THE_SERVER)), body)


def chunks(coded: bytes) -> Iterator[bytes]:
    while coded:
        size, _, rest = coded.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return
        yield rest[:length]
        coded = rest[length + 2 :]
    raise ValueError("the answer ends within its chunks")

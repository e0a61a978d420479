"""Sends exactly the bytes that a case asks for, and keeps a journal of what no answer may ever do."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx

from .case import Failed

Pairs = list[tuple[str, str]]

HARD_CAP_SECONDS = 10.0
GIVE_UP_SECONDS = 30.0
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
NO_STORE = ("authorize", "consent", "token", "revoke", "introspect", "register")


def encode(pairs: Pairs) -> str:
    return "&".join(f"{quote_plus(k, safe='')}={quote_plus(v, safe='')}" for k, v in pairs)


def edit(pairs: Pairs, /, *, drop: tuple[str, ...] | str = (), add: Pairs = (), **change: str) -> Pairs:
    """A copy of `pairs` with some dropped, some replaced (or appended), and `add` appended (a duplicate, if it was there)."""
    drop = (drop,) if isinstance(drop, str) else drop
    out = [(k, change.pop(k)) if k in change else (k, v) for k, v in pairs if k not in drop]
    return out + list(change.items()) + list(add)


@dataclass
class Answer:
    method: str
    url: str
    status: int
    headers: Pairs
    body: bytes = b""
    seconds: float = 0.0

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str | None:
        return self.header("location")

    @property
    def media_type(self) -> str:
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    def json(self) -> dict:
        """The JSON object of the body; anything else (or a duplicate member) fails the case."""
        try:
            value = json.loads(self.text, object_pairs_hook=_no_duplicates)
        except ValueError as wrong:
            raise Failed("a JSON object in the body", f"{wrong} in {self}") from None
        if not isinstance(value, dict):
            raise Failed("a JSON object in the body", str(self))
        return value

    def error(self) -> str | None:
        try:
            value = json.loads(self.text)
        except ValueError:
            return None
        return value.get("error") if isinstance(value, dict) else None

    def location_pairs(self) -> Pairs:
        return parse_qsl(urlsplit(self.location or "").query, keep_blank_values=True)

    def __str__(self) -> str:
        parts = [str(self.status)]
        if self.location is not None:
            parts.append(f"Location: {_short(self.location, 200)}")
        if self.header("www-authenticate"):
            parts.append(f"WWW-Authenticate: {_short(' | '.join(self.all('www-authenticate')), 200)}")
        if self.media_type == "application/json":
            parts.append(_short(self.text, 200))
        elif self.body:
            words = re.sub(r"<(style|head).*?</\1>|<[^>]*>", " ", self.text, flags=re.S)
            parts.append(f"{self.media_type or 'no media type'}: {_short(' '.join(words.split()), 120)!r}")
        return " ".join(parts)


def _no_duplicates(members):
    out = {}
    for name, value in members:
        if name in out:
            raise ValueError(f"duplicate member {name!r}")
        out[name] = value
    return out


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass
class Journal:
    """Breaches of the rules that hold for every answer, by rule; read by the cases H-13, H-14, R-56 and ANY."""

    answers: int = 0
    breaches: dict[str, list[str]] = field(default_factory=dict)

    def breach(self, rule: str, what: str) -> None:
        seen = self.breaches.setdefault(rule, [])
        if what not in seen and len(seen) < 20:
            seen.append(what)

    def read(self, answer: Answer, endpoint: str, slow: bool) -> None:
        self.answers += 1
        where = f"{answer.method} {endpoint or urlsplit(answer.url).path}"
        if answer.status >= 500:
            self.breach("5xx", f"{where}: {answer}")
        if answer.seconds > HARD_CAP_SECONDS and not slow:
            self.breach("time", f"{where}: {answer.seconds:.1f} s")
        for name, value in answer.headers:
            if re.search(r"[\r\n\x00]", value):
                self.breach("header", f"{where}: {name}: {value!r}")
        for name in ("location", "content-type", "cache-control"):
            if len(answer.all(name)) > 1:
                self.breach("header", f"{where}: {len(answer.all(name))} {name} headers")
        bare = answer.media_type == "text/plain" or not (answer.media_type or answer.body)
        if answer.status in (413, 431) or (answer.status == 400 and bare):
            endpoint = ""  # the HTTP server's own word about the message: no endpoint has seen it
        if endpoint in NO_STORE and answer.status not in (404, 405, 413, 415) and answer.method not in ("OPTIONS", "HEAD"):
            if "no-store" not in (answer.header("cache-control") or ""):
                self.breach("no-store", f"{where} {answer.status}: Cache-Control {answer.header('cache-control')!r}")
        if endpoint == "authorize" and answer.method in ("GET", "POST") and answer.status not in (404, 405):
            if answer.header("referrer-policy") != "no-referrer":
                self.breach("referrer", f"{where} {answer.status}: Referrer-Policy {answer.header('referrer-policy')!r}")
        self._read_error(answer, where)
        self._read_location(answer, where)

    def _read_error(self, answer: Answer, where: str) -> None:
        try:
            value = json.loads(answer.text) if answer.body and answer.media_type == "application/json" else None
        except ValueError:
            return self.breach("error", f"{where}: application/json, but not JSON: {answer.text[:80]!r}")
        if not isinstance(value, dict) or "error" not in value or answer.status < 400:
            return
        if isinstance(value["error"], dict):  # JSON-RPC of an MCP endpoint
            return
        if not (isinstance(value["error"], str) and re.fullmatch(r"[a-z_]+", value["error"])):
            self.breach("error", f"{where}: error {value['error']!r}")
        text = value.get("error_description", "")
        if not (isinstance(text, str) and DESCRIPTION.fullmatch(text)):
            self.breach("error", f"{where}: error_description {text!r}")

    def _read_location(self, answer: Answer, where: str) -> None:
        if answer.location is None:
            return
        pairs = answer.location_pairs()
        names = [k for k, _ in pairs]
        for name in ("code", "iss", "state", "error", "error_description"):
            if names.count(name) > 1:
                self.breach("once", f"{where}: {names.count(name)} times {name} in {answer.location!r}")
        if ("code" in names or "error" in names) and "iss" not in names:
            self.breach("once", f"{where}: an authorization response without iss: {answer.location!r}")
        if "code" in names and "error" in names:
            self.breach("once", f"{where}: code and error in {answer.location!r}")
        for text in (v for k, v in pairs if k == "error_description"):
            if not DESCRIPTION.fullmatch(text):
                self.breach("error", f"{where}: error_description {text!r} in Location")
        if answer.status not in (301, 302, 303, 307, 308, 201):
            self.breach("header", f"{where}: Location with status {answer.status}")
        if endpoint_redirects_wrongly(answer, names):
            self.breach("redirect", f"{where}: status {answer.status} to the client (302 or 303 only)")


def endpoint_redirects_wrongly(answer: Answer, names: list[str]) -> bool:
    return ("code" in names or "error" in names) and answer.status not in (302, 303)


class Wire:
    """One connection pool without cookies, redirects or normalisation: the request target is sent as given."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.journal = Journal()
        self.endpoint_of = lambda path: ""
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl.create_default_context() if base.startswith("https") else False,
            limits=httpx.Limits(max_connections=128, max_keepalive_connections=32, keepalive_expiry=2),
        )

    async def close(self) -> None:
        await self._transport.aclose()

    async def send(self, method: str, url: str, *, headers: Pairs = (), body: bytes | str = b"", slow: bool = False) -> Answer:
        """`url` is absolute, or a target below the base; its path and query go out byte for byte."""
        body = body.encode() if isinstance(body, str) else body
        absolute = url if "://" in url.split("?")[0] else self.base + url
        parts = urlsplit(absolute)
        target = absolute[len(f"{parts.scheme}://{parts.netloc}"):] or "/"
        if any(v != v.strip() or not v.isascii() for _, v in headers):  # httpx refuses to send these, an attacker does not
            answer = await self.raw(self.request_bytes(method, target, headers, body))
            if answer is None:
                raise Failed("an answer", f"{method} {parts.path}: the connection was closed")
            return answer
        request = httpx.Request(
            method,
            f"{parts.scheme}://{parts.netloc}/",
            headers=[("Accept", "*/*"), ("User-Agent", "lockstep-blackbox"), *headers],
            content=body or None,
            extensions={"target": target.encode("latin-1"), "timeout": dict.fromkeys(("connect", "read", "write", "pool"), GIVE_UP_SECONDS)},
        )
        started = time.monotonic()
        try:
            response = await asyncio.wait_for(self._transport.handle_async_request(request), GIVE_UP_SECONDS)
            content = await asyncio.wait_for(_read(response), GIVE_UP_SECONDS)
        except (httpx.HTTPError, TimeoutError) as wrong:
            self.journal.breach("no answer", f"{method} {parts.path}: {type(wrong).__name__} {wrong}")
            raise Failed("an answer", f"{method} {parts.path}: {type(wrong).__name__} {wrong}") from None
        received = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in response.headers.raw]
        return self._note(Answer(method, absolute, response.status_code, received, content, time.monotonic() - started), slow)

    async def form(self, url: str, pairs: Pairs | str, *, headers: Pairs = ()) -> Answer:
        body = pairs if isinstance(pairs, str) else encode(pairs)
        return await self.send("POST", url, headers=[("Content-Type", "application/x-www-form-urlencoded"), *headers], body=body)

    async def raw(self, message: bytes, *, close_at_once: bool = False, timeout: float = GIVE_UP_SECONDS) -> Answer | None:
        """Writes `message` to a fresh socket and reads one answer; None if the peer closed without one."""
        parts = urlsplit(self.base)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=secure)
        started = time.monotonic()
        try:
            try:
                writer.write(message)
                await writer.drain()
                if close_at_once:
                    return None
                data = await asyncio.wait_for(_until_closed_or_complete(reader), timeout)
            except ConnectionError:
                data = b""
            except TimeoutError:
                raise Failed("an answer or a closed connection", f"silence for {timeout:.0f} s after {message[:60]!r}") from None
        finally:
            writer.close()
        answer = _parse(message, data, self.base, time.monotonic() - started)
        return answer and self._note(answer, False)

    def request_bytes(self, method: str, target: str | bytes, headers: Pairs = (), body: bytes = b"", *, version: str = "1.1", host: str | None = "") -> bytes:
        """A whole request as bytes; `host=None` leaves the Host header out."""
        target = target.encode("utf-8") if isinstance(target, str) else target
        lines = [method.encode() + b" " + target + b" HTTP/" + version.encode()]
        if host is not None:
            lines.append(b"Host: " + (host or urlsplit(self.base).netloc).encode())
        lines += [f"{k}: {v}".encode("utf-8") for k, v in headers]
        lines.append(b"Connection: close")
        if body and not any(k.lower() in ("content-length", "transfer-encoding") for k, _ in headers):
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _note(self, answer: Answer, slow: bool) -> Answer:
        self.journal.read(answer, self.endpoint_of(urlsplit(answer.url).path), slow)
        if answer.status >= 500:
            raise Failed("no 5xx", str(answer))
        return answer


async def _read(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def _until_closed_or_complete(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await reader.read(65536)
        if not piece:
            return head
        head += piece
    split = head.index(b"\r\n\r\n") + 4
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head[:split])
    while not length or len(head) - split < int(length.group(1)):
        try:
            piece = await reader.read(65536)
        except ConnectionError:
            break
        if not piece:
            break
        head += piece
    return head


def _parse(message: bytes, data: bytes, base: str, seconds: float) -> Answer | None:
    if not data.startswith(b"HTTP/"):
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [(k.strip().lower(), v.strip()) for k, _, v in (line.partition(":") for line in lines[1:])]
    method, target = (message.split(b"\r\n", 1)[0].decode("latin-1").split(" ") + ["", ""])[:2]
    url = target if target.startswith("http") else base + target
    if ("transfer-encoding", "chunked") in headers:
        body = _unchunk(body)
    return Answer(method, url, int(lines[0].split(" ")[1]), headers, body, seconds)


def _unchunk(body: bytes) -> bytes:
    out = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            return out
        out, body = out + body[:length], body[length + 2:]

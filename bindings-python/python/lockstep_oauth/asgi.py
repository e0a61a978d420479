"""The endpoints as a plain ASGI app, and the guard around a protected one. Only messages move here; the core decides."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from sys import modules
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._native import Allowed, Answer, Identity
from .context import SDK_CONTEXT, Call, call
from .decisions import RequestHost
from .drive import drive_async
from .environment import now, peer_of, seed
from .errors import ConfigurationError, InsufficientScope
from .rpc import could_be_rpc, is_error, needed_scopes

if TYPE_CHECKING:
    from .lockstep import Lockstep

__all__ = ["Endpoints", "Protected", "external_path", "send_response"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

BODY_BYTES = 64 * 1024
"""The largest body of a request to an endpoint."""
RPC_BYTES = 4 * 1024 * 1024
"""The largest JSON-RPC message that is read to see which tool it calls; the official SDK's own limit."""
ENCODING_BYTES = 4
"""So many bytes of a JSON text tell in which encoding it is (RFC 4627 §3)."""
HELD_BYTES = 1024 * 1024
"""The most of an answer that is held back while it may still become a challenge."""
SAFE = "/~!$&'()*+,;=:@-._"

logger = logging.getLogger("lockstep_oauth")


def external_path(scope: Scope) -> str:
    """Return the path as the client sent it, not decoded, with the mount's prefix in front.

    Servers disagree on whether the path holds ``root_path``: ASGI, uvicorn and Starlette say that it does; others strip it.
    """
    raw = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"], safe=SAFE)
    root = scope.get("root_path")
    if root:
        root = quote(root.rstrip("/"), safe=SAFE)
        if path != root and not path.startswith(root + "/"):
            return root + path
    return path


def must_be_app(app: object) -> None:
    """Refuse what is no ASGI app: an MCP server has one, and is none."""
    if not callable(app):
        hint = next((f"; give its {name}()" for name in ("streamable_http_app", "http_app") if hasattr(app, name)), "")
        raise ConfigurationError("app", f"an ASGI app, not {type(app).__name__}{hint}")


class Endpoints:
    """All endpoints and well-known documents; requests for other paths go on to ``app``, or are answered 404."""

    __slots__ = ("_app", "_auth", "_desk", "_paths", "_prefixes", "_raw_paths", "_warned")

    def __init__(self, auth: Lockstep, app: App | None = None) -> None:
        if app is not None:
            must_be_app(app)
        self._auth = auth
        self._app = app
        self._desk = auth.native.desk(*auth.in_line)
        paths = auth.native.paths()
        self._paths = frozenset(path for path in paths if "{" not in path)
        self._raw_paths = {path.encode(): path for path in self._paths}
        # With a slash at the end a well-known path is still ours, and below /register is a name that only the core reads.
        prefixes = [path.partition("{")[0] for path in paths if "{" in path]
        self._prefixes = ("/.well-known/oauth-", "/.well-known/openid-", *prefixes)
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "http":
            plain = self._raw_paths.get(scope.get("raw_path") or b"")
            if plain is not None and not scope.get("root_path"):
                await self.answer(scope, receive, send, plain)
                return
            # A path that is not ours costs one look into a set: decoding never makes one of ours out of another.
            path = scope["path"]
            if scope.get("root_path"):
                path = external_path(scope)
                if not self._warned:
                    self._say_what_is_needed(scope)
                path = self._passed_on(path, scope)
            if path in self._paths or path.startswith(self._prefixes):
                path = path if scope.get("root_path") else external_path(scope)
                if path in self._paths or self._auth.native.owns(path):
                    await self.answer(scope, receive, send, path)
                    return
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send_response(send, 404, [(b"content-type", b"text/plain; charset=utf-8")], b"Not Found")
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "lifespan":
            await _idle_lifespan(receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer a request for one of our paths."""
        method = scope["method"]
        body = b""
        if method not in ("GET", "HEAD", "OPTIONS"):
            try:
                read = await read_body(scope, receive, BODY_BYTES)
            except ClientDisconnected:
                logger.debug("the client went away before its request was whole")
                return
            if read is None:
                await send_response(send, 413, _JSON, b'{"error":"invalid_request","error_description":"The body is too large."}')
                return
            body = read
        auth = self._auth
        answer: Any = self._desk.answer(scope, path, body, int(time()), seed())
        if type(answer) is not Answer:
            host = RequestHost(auth, scope, body)
            answer = await drive_async(answer, host)
            if host.nobody_signed_in:
                auth.audit.tell(answer)
                await send_response(send, 401, _PAGE, _NOBODY_SIGNED_IN)
                return
        auth.audit.tell(answer)
        start, content = answer.messages(method == "HEAD")
        await send(start)
        await send(content)

    def _passed_on(self, path: str, scope: Scope) -> str:
        """Return the path without the prefix for a well-known document of the origin that a proxy has passed on to this app."""
        bare = path.removeprefix(quote(scope["root_path"].rstrip("/"), safe=SAFE))
        owns = self._auth.native.owns
        return bare if bare.startswith("/.well-known/") and owns(bare) and not owns(path) else path

    def _say_what_is_needed(self, scope: Scope) -> None:
        """Say once that this app sees one part of the origin only, and what the rest of it must pass on."""
        self._warned = True
        root = scope["root_path"].rstrip("/")
        inside = [path for path in self._paths if path == root or path.startswith(root + "/")]
        outside = sorted(self._paths.difference(inside))
        if not inside:
            logger.error(
                "this app answers below %s only, and no endpoint of the issuer %s is there: set issuer to end in %s, or install at the origin",
                root, self._auth.issuer, root,
            )  # fmt: skip
        elif outside:
            logger.warning(
                "this app answers below %s only: clients also ask the origin for %s. Install on the outer app, or pass these paths on to this one",
                root, ", ".join(outside),
            )  # fmt: skip


class Protected:
    """Lets requests with a fitting bearer token through to ``app``, and answers the others with a challenge."""

    __slots__ = ("_any_origin", "_app", "_auth", "_check", "_gate", "_origins", "_resource", "_scopes", "_step_up_only", "_tools")

    def __init__(
        self,
        auth: Lockstep,
        app: App,
        resource: str,
        scopes: Sequence[str],
        origins: Sequence[str] | None = ("*",),
        step_up_only: bool = False,
    ) -> None:
        must_be_app(app)
        self._auth = auth
        self._app = app
        self._resource = resource
        self._scopes = list(scopes)
        self._origins = frozenset(origin.encode("latin-1") for origin in origins or ())
        self._any_origin = b"*" in self._origins
        self._check = auth.native.check
        self._gate = auth.native.gate(resource, self._scopes, *auth.in_line)
        self._tools = auth.tool_scopes
        self._step_up_only = step_up_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one connection. This is the hot path: microseconds count here, and nowhere else in this file."""
        if scope["type"] != "http":
            checked_here = scope["type"] == "websocket" and not self._step_up_only
            await (self._websocket if checked_here else self._app)(scope, receive, send)
            return
        identity: Any = None if self._step_up_only else self._gate.check(scope, False, int(time()), seed())
        if identity is None:
            permitted = self._permitted(scope)
            if permitted and scope["method"] == "OPTIONS" and _has(scope["headers"], b"access-control-request-method"):
                await send_response(send, 204, _preflight(permitted, scope["headers"]), b"")
                return
            if permitted:
                send = _with_cors(send, permitted)
            if self._step_up_only:
                await self._step_up(scope, receive, send)
                return
            identity = self._gate.check(scope, True, int(time()), seed())
        if type(identity) is not Identity:
            checked = await self._auth.finish_check(identity)
            if type(checked) is not Allowed:
                await send_object(send, checked, head=scope["method"] == "HEAD")
                return
            identity = checked.identity
        if self._tools and scope["method"] == "POST":
            receive, refused = await self._check_tools(scope, receive)
            if refused is not None:
                await refused(send)
                return

        scope["lockstep"] = identity
        held = HeldAnswer(identity, send, self, scope["method"] == "GET")
        token = call.set(held)
        sdk_token = self._seat_in_sdk(scope, identity) if SDK_CONTEXT in modules else None
        try:
            await self._app(scope, receive, held.send)
            if held.state is not OPEN or held.missing is not None:
                await held.finish()
        except InsufficientScope as missing:
            if not await held.challenge_instead(missing.scopes):
                raise
        finally:
            if sdk_token is not None:
                modules[SDK_CONTEXT].auth_context_var.reset(sdk_token)
            call.reset(token)

    def _permitted(self, scope: Scope) -> bytes:
        """The origin that may read the answer, as it is told to the browser; empty for none."""
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if self._any_origin:
            return b"*" if origins else b""
        # No browser sends two, and none of two is the one that asks.
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else b""

    async def _step_up(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard nothing: the app checks tokens itself (``auth.mcp.token_verifier()``). Only turn what it raises into a challenge."""
        if self._auth.tool_scopes and scope["method"] == "POST":
            receive, refused = await self._check_tools(scope, receive)
            if refused is not None:
                await refused(send)
                return
        held = HeldAnswer(None, send, self, scope["method"] == "GET")
        token = call.set(held)
        try:
            await self._app(scope, receive, held.send)
            await held.finish()
        except InsufficientScope as missing:
            if not await held.challenge_instead(missing.scopes):
                raise
        finally:
            call.reset(token)

    def _seat_in_sdk(self, scope: Scope, identity: Any) -> Any:
        """Let the official SDK know the caller too: it binds sessions to them, and ``get_access_token()`` works in tools."""
        from .mcp import sdk_user

        user = scope["user"] = sdk_user(identity, self._auth.issuer)
        return modules[SDK_CONTEXT].auth_context_var.set(user)

    def challenge(self, missing: Iterable[str]) -> Any:
        """The answer to a missing scope: all scopes of this operation at once, since not every client adds them up."""
        wanted = list(dict.fromkeys((*self._scopes, *missing)))
        return self._auth.native.challenge(self._resource, wanted)

    async def _check_tools(self, scope: Scope, receive: Receive) -> tuple[Receive, Callable[[Send], Awaitable[None]] | None]:
        """Read which tool is called, and check the token against what that tool needs, before the app runs."""
        try:
            first = await _first_words(receive)
            if not could_be_rpc(first["body"]):
                return _replay(first, receive), None
            body = await read_body(scope, _replay(first, receive), RPC_BYTES)
        except ClientDisconnected:
            return receive, _nothing
        if body is None:
            return receive, _refuse_rpc(413, -32600, "The message is too large.")
        try:
            needed = needed_scopes(body, self._auth.tool_scopes)
        except (ValueError, RecursionError):
            # INVARIANT: what cannot be read for certain is not passed on, or the tool's scopes could be gone around.
            return receive, _refuse_rpc(400, -32700, "Parse error")
        if needed:
            wanted = [*self._scopes, *(name for name in needed if name not in self._scopes)]
            exchange = self._check(
                scope["headers"], scope["query_string"], self._resource, wanted, peer_of(scope), now(), seed()
            )
            checked = await self._auth.finish_check(exchange)
            if type(checked) is not Allowed:
                return receive, lambda send: send_object(send, checked)
        return _replay({"type": "http.request", "body": body, "more_body": False}, receive), None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._check(
            scope["headers"], scope.get("query_string", b""), self._resource, self._scopes, peer_of(scope), now(), seed()
        )
        checked = await self._auth.finish_check(exchange)
        if type(checked) is Allowed:
            scope["lockstep"] = checked.identity
            token = call.set(Call(checked.identity))
            try:
                await self._app(scope, receive, send)
            finally:
                call.reset(token)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await send_object(_as_websocket_denial(send), checked)
        else:
            await send({"type": "websocket.close", "code": 1008})


WAITING, OPEN, REPLACED = "waiting", "open", "replaced"


class HeldAnswer(Call):
    """Holds the start of an answer back until its first words are known, so that an error can still become a 403 challenge.

    The MCP SDK answers a tool's exception with status 200, in JSON or as an event; sometimes it starts the answer before
    the tool runs. Once something else has gone out (a progress notification, a keep-alive), it is too late, and the
    client sees the tool's error.
    """

    # What most answers never change stands here, and costs them nothing.
    state = WAITING  # then OPEN (all goes through) or REPLACED (nothing does)
    _start: MutableMapping[str, Any] | None = None
    _body = b""
    _late = False

    def __init__(self, identity: Any, send: Send, guard: Protected, reading: bool) -> None:
        self.identity = identity
        self._send = send
        self._guard = guard
        # The answer to a GET may be a stream that waits for events: its start must go out, unless it is an error.
        self._immediate = reading

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Take the app's next message. What passes through costs no coroutine of our own."""
        if self.state is OPEN:
            return self._send(message)
        if self._immediate and message["type"] == "http.response.start" and message["status"] < 400:
            self.state = OPEN
            self._late = True
            return self._send(message)
        return self._hold(message)

    async def _hold(self, message: MutableMapping[str, Any]) -> None:
        if self.state is REPLACED:
            return
        kind = message["type"]
        if kind == "http.response.start":
            self._start = message
            return
        if kind != "http.response.body" or self._start is None:
            await self._send(message)
            return
        more = message.get("more_body", False)
        if self.missing is None:
            if more and not message.get("body"):
                return  # the start of a stream: nothing is said yet
            await self._open(message)
            return
        body = self._body + message.get("body", b"")
        verdict = is_error(self._start, body, complete=not more)
        if verdict is True:
            await self.challenge_instead(self.missing)
        elif verdict is None and more and len(body) < HELD_BYTES:
            self._body = body
        else:
            await self._open({**message, "body": body})

    async def finish(self) -> None:
        """The app is done. What is still held goes out."""
        if self.state is WAITING and self._start is not None:
            await self._open({"type": "http.response.body", "body": self._body} if self._body else None)
        elif self.state is OPEN and self._late and self.missing is not None:
            logger.info("a missing scope (%s) was found after the answer had started: no challenge could be sent", " ".join(self.missing))

    async def challenge_instead(self, missing: Iterable[str]) -> bool:
        """Answer with a challenge. False when it is too late."""
        if self.state is not WAITING:
            return False
        self.state = REPLACED
        await send_object(self._send, self._guard.challenge(missing))
        return True

    async def _open(self, message: MutableMapping[str, Any] | None) -> None:
        self.state = OPEN
        self._late = self.missing is None
        assert self._start is not None
        await self._send(self._start)
        if message is not None:
            await self._send(message)


async def _first_words(receive: Receive) -> MutableMapping[str, Any]:
    """Receive as much of the body as tells its encoding, however small the pieces are in which it comes."""
    body, more = b"", True
    while more and len(body) < ENCODING_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return {"type": "http.request", "body": body, "more_body": more}


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """Read the whole body; None, and no more is read, once it is longer than ``limit``."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            return None
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part = message.get("body", b"")
        length += len(part)
        if length > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


class ClientDisconnected(Exception):
    """The client went away before its request was whole; there is nobody to answer."""


def _replay(first: MutableMapping[str, Any], receive: Receive) -> Receive:
    waiting = [first]

    async def replay() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def send_object(send: Send, answer: Any, head: bool = False) -> None:
    """Send an answer, or a response, of the core as it is."""
    start, content = answer.messages(head)
    await send(start)
    await send(content)


async def send_response(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a whole response that is not the core's."""
    pairs = [*headers, (b"content-length", str(len(body)).encode())] if status != 204 else list(headers)
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


ALLOWED_METHODS = b"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
ALLOWED_HEADERS = b"Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name"
EXPOSED_HEADERS = b"WWW-Authenticate, Mcp-Session-Id"
_PARAMETER = re.compile(rb"mcp-param-[a-z0-9_-]+", re.IGNORECASE)
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_PAGE = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"), (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]  # fmt: skip
_NOBODY_SIGNED_IN = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Sign in first</title><h1>Sign in first</h1>"
    b"<p>Nobody is signed in here. Sign in, and then open this page again."
)


def _preflight(permitted: bytes, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Answer a preflight. It carries no token, by design of CORS, so it is answered without one.

    Parameters of a tool may travel as ``Mcp-Param-*`` headers whose names only the tools know: those asked for are allowed.
    """
    allowed = ALLOWED_HEADERS
    for name, value in headers:
        if name == b"access-control-request-headers":
            for asked in value.split(b","):
                asked = asked.strip()
                if _PARAMETER.fullmatch(asked):
                    allowed += b", " + asked
    return [
        *_cors(permitted),
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", b"600"),
    ]


def _cors(permitted: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [(b"access-control-allow-origin", permitted), (b"access-control-expose-headers", EXPOSED_HEADERS)]
    return pairs if permitted == b"*" else [*pairs, (b"vary", b"Origin")]


def _with_cors(send: Send, permitted: bytes) -> Send:
    async def send_with_cors(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            ours = (b"access-control-allow-origin", b"access-control-expose-headers")
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in ours]
            message = {**message, "headers": [*kept, *_cors(permitted)]}
        await send(message)

    return send_with_cors


def _has(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bool:
    return any(name == wanted for name, _ in headers)


def _header_list(scope: Scope) -> list[tuple[bytes, bytes]]:
    headers = scope["headers"]
    return headers if type(headers) is list else list(headers)


def _as_websocket_denial(send: Send) -> Send:
    async def deny(message: MutableMapping[str, Any]) -> None:
        await send({**message, "type": "websocket." + message["type"]})

    return deny


def _refuse_rpc(status: int, code: int, sentence: str) -> Callable[[Send], Awaitable[None]]:
    message = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": sentence}}
    body = json.dumps(message, separators=(",", ":")).encode()
    return lambda send: send_response(send, status, _JSON, body)


async def _nothing(send: Send) -> None:
    """Nobody is there to be answered."""


async def _idle_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return

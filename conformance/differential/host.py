"""The Python host of the differential test: the shipped adapters, with the clock and the entropy of the test.

    python host.py WORLD.json      prints the port it listens on, and ends with its standard input

Each request says in `X-Differential: NUMBER NOW [FAULT]` which it is, when it happens, and what the store does wrong meanwhile.
`GET /differential` tells what the host has seen, stored and reported. A world with a `database` has none of this: there the host
runs with the clock, the entropy and the SQLite store that it has in earnest (journeys.py).
"""

import asyncio
import contextlib
import hashlib
import json
import sys
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

import lockstep_oauth.asgi
import lockstep_oauth.lockstep
import lockstep_oauth.starlette
from lockstep_oauth import Approve, Deny, ExternalToken, InsufficientScope, Lockstep, Resource, Scope, SignIn, User, current_identity
from lockstep_oauth._native import Record
from lockstep_oauth.errors import FetchError, LockstepError, OverBudgetError, StoreError

WORLD = json.load(open(sys.argv[1]))


class Now:
    """The one request that is being answered."""

    number, time, fault, seed = 0, 0, "", bytes(32)


NOW = Now()
SEEN: list[int] = []
EVENTS: list[Any] = []

IN_EARNEST = "database" in WORLD

if not IN_EARNEST:
    for module in (lockstep_oauth.asgi, lockstep_oauth.lockstep, lockstep_oauth.starlette):
        module.seed = lambda: NOW.seed  # type: ignore[attr-defined]
        module.now = lambda: NOW.time  # type: ignore[attr-defined]
    lockstep_oauth.asgi.time = lambda: NOW.time  # type: ignore[assignment]


class Records:
    """A store in memory, which does what the request says: it fails, or forgets to say that it has written."""

    def __init__(self) -> None:
        self.writes: dict[str, Any] = {}

    def _load(self, keys: list[str]) -> list[Record | None]:
        if NOW.fault == "load":
            raise StoreError("the store is away")
        found = [self.writes.get(key) for key in keys]
        return [None if write is None else Record(write.version, write.value, write.expires_at) for write in found]

    def _commit(self, write: Any) -> str:
        fault, NOW.fault = NOW.fault, "" if NOW.fault in ("unknown", "lost", "conflict", "raised") else NOW.fault
        if fault == "lost":
            return "unknown"
        if fault == "conflict":
            return "conflict"
        there = self.writes.get(write.key)
        if (None if there is None else there.version) != write.expect:
            return "conflict"
        self.writes[write.key] = write
        if fault == "raised":
            raise RuntimeError("the store broke after it had written")
        return "unknown" if fault == "unknown" else "committed"

    def list(self, subject: str) -> list[tuple[str, Record]]:
        return [(key, Record(w.version, w.value, w.expires_at)) for key, w in self.writes.items() if w.subject == subject]

    def purge(self, now: int) -> int:
        return 0

    def close(self) -> None:
        pass


class InLine(Records):
    """It answers at once."""

    load, commit = Records._load, Records._commit


class Waiting(Records):
    """It lets the event loop turn before it answers."""

    async def load(self, keys: list[str]) -> list[Record | None]:
        await asyncio.sleep(0)
        return self._load(keys)

    async def commit(self, write: Any) -> str:
        await asyncio.sleep(0)
        return self._commit(write)


class Others:
    """The other servers."""

    async def fetch_async(self, request: Any, admit: Any) -> Any:
        if not admit():
            raise OverBudgetError
        answer = WORLD["others"].get(request.url, {"failed": "no such host"})
        if "failed" in answer:
            raise FetchError(answer["failed"])
        if "broken" in answer:
            raise RuntimeError(answer["broken"])
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer["headers"]]
        return answer["status"], headers, answer["body"].encode()

    fetch = None


def sign_in(request: Request) -> Any:
    match request.headers.get("x-user", ""):
        case "":
            return None
        case "login":
            return SignIn("/login")
        case "login-query":
            return SignIn("/login?a=b&#frag ment")
        case "login-next":
            return SignIn("https://login.example/?next=/else&back=")
        case "approve":
            return Approve(User("alice", "Alice"))
        case "approve-read":
            return Approve(User("alice"), ["notes:read"])
        case "deny":
            return Deny()
        case "wrong":
            return "alice"
        case "raise":
            raise RuntimeError("the session store is away")
        case name:
            return User(name, f"{name} <Ünicode>", {"tier": "gold", "list": [1, None, {"b": 2, "a": 1.5}]})


def consent_page(request: Request, question: Any) -> Any:
    if "x-page" not in request.headers:
        return None
    names = ("client_id", "client_name", "client_host", "redirect_host", "redirect_uri", "loopback", "known", "resource", "user_name", "action")
    shown = {name: getattr(question, name) for name in names}
    scopes = [[scope.name, scope.description, scope.optional] for scope in question.scopes]
    return "<!doctype html>" + written({**shown, "scopes": scopes, "hidden": [list(pair) for pair in question.hidden]})


def may_refresh(question: Any) -> bool:
    if question.subject == "raising":
        raise RuntimeError("no answer")
    return question.subject != "mallory"


def verify_token(token: str) -> Any:
    if token == "external-gone":
        raise RuntimeError("the other issuer is away")
    if token.startswith("external-"):
        return ExternalToken(token[9:], ["notes:read", "unknown"], claims={"from": "elsewhere"})
    return None


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def tell(event: Any) -> None:
    EVENTS.append([NOW.number, event.id, event.at, event.details])


def make() -> Lockstep:
    options = dict(WORLD["options"])
    options["resources"] = [Resource(**resource) for resource in options["resources"]]
    options["scopes"] = {scope: Scope(**about) for scope, about in options["scopes"].items()}
    options.setdefault("sign_in", sign_in)
    if WORLD["name"] == "jwt":
        options |= {"consent_page": consent_page, "may_refresh": may_refresh, "verify_token": verify_token}
    store = f"sqlite:///{WORLD['database']}" if IN_EARNEST else Waiting() if WORLD["waits"] else InLine()
    return Lockstep(**options, keys=WORLD["keys"], store=store, fetcher=Others(), on_event=tell, environment={})


auth = make()
if "tools" in WORLD:
    auth.mcp.tool_scopes(WORLD["tools"])


JSON_TYPE, EVENTS_TYPE = "application/json", "text/event-stream; charset=utf-8"
FAILED = '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}'
# What an MCP SDK makes of a tool's exception, in the pieces in which it leaves.
SWALLOWED = {
    "json": (JSON_TYPE, [FAILED[:20], FAILED[20:]]),
    "error": (JSON_TYPE, ['{"jsonrpc":"2.0","id":1,"error":{"code":-32603}}']),
    "fine": (JSON_TYPE, ['{"jsonrpc":"2.0","id":1,"result":{"content":[]}}']),
    "event": (EVENTS_TYPE, ["event: message\r\n", f"data: {FAILED}\r\n\r\n"]),
    "primed": (EVENTS_TYPE, ["id: 1\nretry: 10\ndata:\n\n", f"id: 2\ndata: {FAILED[:10]}\ndata: {FAILED[10:]}\n\n"]),
    "notified": (EVENTS_TYPE, ['data: {"method":"notifications/progress"}\n\n', f"data: {FAILED}\n\n"]),
    "kept": (EVENTS_TYPE, [": ping\n\n", f"data: {FAILED}\n\n"]),
    "text": ("text/plain", ["failed"]),
}


async def handler(scope: Any, receive: Any, send: Any) -> None:
    """What is protected: it says who asked, or finds a scope missing, and lets that be known in one way or another."""
    headers = Request(scope, receive).headers
    if headers.get("x-swallow") not in SWALLOWED:
        await answer(scope.get("lockstep"), headers.get("x-needs"))(scope, receive, send)
        return
    with contextlib.suppress(InsufficientScope):
        answer(scope.get("lockstep"), headers.get("x-needs"))
    kind, parts = SWALLOWED[headers["x-swallow"]]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
    for part in parts if scope["method"] != "HEAD" else []:
        await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def answer(identity: Any, needs: str | None) -> Response:
    assert identity is not None and identity == current_identity()
    if needs is not None:
        raise InsufficientScope(*needs.split())
    names = ("subject", "client_id", "scopes", "resource", "claims", "grant_id", "expires_at", "kind")
    body = written({name: getattr(identity, name) for name in names})
    return Response(body, 200, {"content-type": "application/json"})


def protected(path: str) -> Any:
    match path:
        case "/mcp":
            return auth.protect(handler, scopes=["notes:read"])
        case "/mcp/own":
            return auth.protect(handler, scopes=["notes:read", "notes:write"], origins=["https://app.example"])
        case "/api":
            return auth.protect(handler, scopes=["notes:write"], resource=WORLD["options"]["resources"][1]["resource"], origins=None)


async def account(path: str, subject: str) -> Any:
    """What account pages are made of."""
    names = ("grant_id", "client_id", "name", "personal", "scopes", "resources", "created_at", "used_at", "expires_at")
    match path:
        case "/account":
            lists = [await auth.connected_apps(subject), await auth.list_personal_tokens(subject)]
            return [[[getattr(grant, name) for name in names] for grant in grants] for grants in lists]
        case "/account/disconnect":
            return [await auth.revoke_app(subject, grant.grant_id) for grant in await auth.connected_apps(subject)]
        case "/account/sign-out":
            return await auth.sign_out_everywhere(subject)
    issued = await auth.issue_personal_token(subject, "Skript", ["notes:read"], 3600, claims={"b": [1], "a": None})
    return [issued.token, issued.grant_id, issued.expires_at]


async def account_page(path: str, request: Request) -> Response:
    try:
        return Response(written(await account(path, request.headers.get("x-user", ""))), 200, {"content-type": "application/json"})
    except LockstepError as error:
        return Response(type(error).__name__, 503, {"content-type": "application/json"})


ROUTES = {path: protected(path) for path in ("/mcp", "/mcp/own", "/api")}
need = auth.require("notes:write", resource=WORLD["options"]["resources"][1]["resource"])


async def dispatch(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    path = scope["raw_path"].decode("latin-1")
    if path in ("/account", "/account/disconnect", "/account/sign-out", "/account/personal"):
        response: Any = await account_page(path, Request(scope, receive))
    elif path == "/api/dependency" and WORLD["waits"]:
        request = Request(scope, receive)
        response = answer(await need(request), request.headers.get("x-needs"))
    elif path in ROUTES:
        response = ROUTES[path]
    else:
        response = Response("elsewhere", 404, {"content-type": "text/plain"})
    await response(scope, receive, send)


if WORLD["waits"]:
    framework = Starlette()
    framework.router.default = dispatch  # type: ignore[method-assign]
    auth.install(framework)
    seat: Any = framework
else:
    seat = auth.asgi(dispatch)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return await (seat(scope, receive, send) if WORLD["waits"] else auth.asgi()(scope, receive, send))
    if IN_EARNEST:
        return await seat(scope, receive, send)
    if scope["raw_path"] == b"/differential":
        return await report(scope, receive, send)
    said = next(value for name, value in scope["headers"] if name == b"x-differential").decode().split()
    NOW.number, NOW.time, NOW.fault = int(said[0]), int(said[1]), "".join(said[2:])
    NOW.seed = hashlib.sha256(f"request {NOW.number}".encode()).digest()
    SEEN.append(NOW.number)
    await seat(scope, receive, send)


async def report(scope: Any, receive: Any, send: Any) -> None:
    records = {
        key: [w.version, w.value.decode("latin-1"), w.expires_at, w.subject, w.client] for key, w in auth.store.writes.items()  # type: ignore[union-attr]
    }
    await Response(written({"seen": SEEN, "events": EVENTS, "records": records}))(scope, receive, send)


class Server(uvicorn.Server):
    def _log_started_message(self, listeners: Any) -> None:
        print(listeners[0].getsockname()[1], flush=True)
        threading.Thread(target=self._with_input, daemon=True).start()

    def _with_input(self) -> None:
        sys.stdin.read()
        self.should_exit = True


if __name__ == "__main__":
    Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", http="h11", lifespan="off", proxy_headers=False)).run()

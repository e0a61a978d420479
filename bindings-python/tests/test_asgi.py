"""The endpoints and the guard as plain ASGI: mounts, proxies, limits, methods, CORS."""

import json
import logging
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from flow import MCP, ORIGIN, Flow, bearer, browser, challenge_of, lockstep
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from lockstep_oauth import ConfigurationError, InsufficientScope, current_identity
from lockstep_oauth.asgi import external_path

pytestmark = pytest.mark.anyio

METADATA = "/.well-known/oauth-authorization-server"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("the app's own")(scope, receive, send)


async def request(app: Any, **changes: Any) -> tuple[int, dict[bytes, bytes], bytes, list[str]]:
    """One request at the level of ASGI messages; also how many messages were received."""
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https", "path": "/",
        "root_path": "", "query_string": b"", "headers": [], "client": ("203.0.113.7", 1), "server": ("notes.example", 443),
    }  # fmt: skip
    parts = list(changes.pop("parts", [b""]))
    scope.update(changes)
    received: list[str] = []
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        received.append("message")
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return 0, {}, b"", received
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part.get("body", b"") for part in sent[1:]), received


@pytest.mark.parametrize(
    ("path", "raw", "root", "external"),
    [
        ("/token", b"/token", "", "/token"),
        ("/token", None, "", "/token"),
        ("/a b", None, "", "/a%20b"),
        ("/token", b"/%74oken", "", "/%74oken"),
        ("/auth/token", b"/auth/token", "/auth", "/auth/token"),
        ("/token", b"/token", "/auth", "/auth/token"),
        ("/token", b"/token", "/auth/", "/auth/token"),
        ("/authorize", b"/authorize", "/auth", "/auth/authorize"),
        ("/token", b"/token?x=1", "", "/token"),
    ],
)
def test_the_path_that_the_client_sent(path: str, raw: bytes | None, root: str, external: str) -> None:
    assert external_path({"path": path, "raw_path": raw, "root_path": root}) == external


async def test_paths_of_others_are_passed_on_or_404() -> None:
    auth = lockstep()
    for app, expected in ((auth.asgi(), 404), (auth.asgi(hello), 200)):
        for path in ("/", "/tokens", "/token/", "/authorize/x", "/.well-known/other"):
            assert (await request(app, path=path))[0] == expected, path
        assert (await request(app, path="/token"))[0] == 405
        assert (await request(app, path=METADATA))[0] == 200
    # An encoded spelling of an endpoint is another path.
    assert (await request(auth.asgi(hello), path="/token", raw_path=b"/%74oken"))[2] == b"the app's own"


async def test_host_and_forwarded_headers_change_nothing() -> None:
    headers = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-prefix", b"/evil"), (b"forwarded", b"host=evil.example")]
    plain = await request(lockstep().asgi(), path=METADATA)
    assert (await request(lockstep().asgi(), path=METADATA, headers=headers, scheme="http")) == plain
    assert b"evil" not in plain[2]


async def test_an_issuer_with_a_path_installed_at_the_origin() -> None:
    auth = lockstep(issuer=f"{ORIGIN}/auth")
    app = FastAPI()
    auth.install(app)
    async with browser(app) as http:
        for path in (METADATA, f"{METADATA}/auth", f"/auth{METADATA}", "/auth/.well-known/openid-configuration"):
            assert (await http.get(path)).json()["token_endpoint"] == f"{ORIGIN}/auth/token", path
        assert (await Flow(http, issuer=f"{ORIGIN}/auth").tokens())["token_type"] == "Bearer"


async def test_a_mount_below_a_path_answers_there_and_says_what_the_origin_must_pass_on(caplog: pytest.LogCaptureFixture) -> None:
    auth = lockstep(issuer=f"{ORIGIN}/auth")
    inner = FastAPI()
    auth.install(inner)
    for mounted in (inner, auth.asgi()):
        caplog.clear()
        async with browser(Starlette(routes=[Mount("/auth", mounted)])) as http:
            assert (await http.get(f"/auth{METADATA}")).status_code == 200
            assert (await http.post("/auth/token")).status_code in (400, 401)
            assert (await http.get(f"{METADATA}/auth")).status_code == 404
        assert f"answers below /auth only: clients also ask the origin for {METADATA}" in caplog.text
        assert caplog.text.count("answers below") == 1


async def test_what_a_proxy_passes_on_below_a_root_path_is_answered() -> None:
    # The proxy takes /auth away, and hands the well-known paths of the origin over as they are.
    app = lockstep(issuer=f"{ORIGIN}/auth").asgi(hello)
    for path in (f"{METADATA}/auth", f"/auth{METADATA}/auth", METADATA, "/.well-known/oauth-protected-resource/mcp"):
        status, _, body, _ = await request(app, path=path, root_path="/auth")
        assert status == 200 and body.startswith(b"{"), path
    for path in ("/notes", "/auth/notes", "/.well-known/other"):
        _, _, body, _ = await request(app, path=path, root_path="/auth")
        assert body == b"the app's own", path


async def test_a_mount_where_no_endpoint_is_says_so(caplog: pytest.LogCaptureFixture) -> None:
    auth = lockstep()
    async with browser(Starlette(routes=[Mount("/auth", auth.asgi())])) as http:
        assert (await http.post("/auth/token")).status_code == 404
    assert "set issuer to end in /auth" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR
    with pytest.raises(ConfigurationError, match="issuer: the app is below /auth"):
        auth.install(FastAPI(root_path="/auth"))


async def test_install_wants_an_app_that_has_not_started() -> None:
    auth = lockstep()
    with pytest.raises(ConfigurationError, match=r"wrap any other ASGI app: auth.asgi\(app\)"):
        auth.install(hello)
    app = FastAPI()
    async with browser(app) as http:
        await http.get("/")
    with pytest.raises(ConfigurationError, match="already started"):
        auth.install(app)


async def test_a_body_beyond_64_kib_is_413_and_no_more_is_read() -> None:
    app = lockstep().asgi()
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    status, _, _, received = await request(app, path="/token", method="POST", headers=form, parts=[b"x" * 40_000] * 10)
    assert status == 413 and len(received) == 2
    status, _, _, received = await request(app, path="/token", method="POST", headers=[*form, (b"content-length", b"65537")], parts=[b"x"])
    assert status == 413 and not received
    status, _, _, received = await request(app, path="/token", method="POST", headers=form, parts=[b"a=" + b"x" * (65_536 - 2)])
    assert status in (400, 401)


async def test_a_client_that_goes_away_is_answered_nothing() -> None:
    assert (await request(lockstep().asgi(), path="/token", method="POST", parts=[]))[0] == 0


async def test_head_and_options_and_wrong_methods() -> None:
    app = lockstep().asgi()
    status, headers, body, _ = await request(app, path=METADATA, method="HEAD")
    assert status == 200 and body == b"" and headers[b"content-type"] == b"application/json"
    status, headers, _, _ = await request(app, path="/token", method="OPTIONS", headers=[(b"origin", b"https://x.example")])
    assert status == 204 and headers[b"access-control-allow-origin"] == b"*"
    status, headers, _, _ = await request(app, path="/token", method="DELETE")
    assert status == 405 and headers[b"allow"] == b"POST"
    status, headers, _, _ = await request(app, path="/consent", method="OPTIONS", headers=[(b"origin", b"https://x.example")])
    assert b"access-control-allow-origin" not in headers


async def test_lifespan_and_websockets_of_the_endpoints_alone() -> None:
    app = lockstep().asgi()
    sent: list[Any] = []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# --- The guard ---------------------------------------------------------------------------------------------------


async def whoami(scope: Any, receive: Any, send: Any) -> None:
    identity = current_identity()
    assert identity is not None and scope["lockstep"] == identity
    await JSONResponse({"subject": identity.subject, "scopes": list(identity.scopes)})(scope, receive, send)


def guarded(**changes: Any) -> Starlette:
    auth = lockstep(**changes)
    return Starlette(routes=[Route("/mcp", auth.protect(whoami, ["notes:read"])), Mount("/", auth.asgi())])


async def test_only_a_fitting_token_gets_through() -> None:
    async with browser(guarded()) as http:
        assert (await http.get("/mcp")).status_code == 401
        tokens = await Flow(http).tokens()
        answer = await http.get("/mcp", headers=bearer(tokens["access_token"]))
        assert answer.json() == {"subject": "alice", "scopes": ["notes:read"]}
        assert current_identity() is None
        for wrong in (bearer(tokens["refresh_token"]), bearer("x"), {"authorization": "Basic eDp5"}):
            answer = await http.get("/mcp", headers=wrong)
            assert answer.status_code == 401 and challenge_of(answer)["resource_metadata"].endswith("/mcp")
        in_query = await http.get("/mcp", params={"access_token": tokens["access_token"]})
        assert in_query.status_code == 401


async def test_a_token_for_another_resource_is_refused() -> None:
    auth = lockstep(resource=None, resources=[MCP, f"{ORIGIN}/api"])
    app = auth.asgi(auth.protect(whoami, resource=f"{ORIGIN}/api"))
    async with browser(app) as http:
        tokens = await Flow(http, resource=MCP).tokens()
        assert (await http.get("/api", headers=bearer(tokens["access_token"]))).status_code == 401
        tokens = await Flow(http, resource=f"{ORIGIN}/api").tokens()
        assert (await http.get("/api", headers=bearer(tokens["access_token"]))).status_code == 200


async def test_browsers_may_call_the_guarded_app() -> None:
    preflight = {"origin": "https://inspector.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization,mcp-param-city,x-other"}
    async with browser(guarded()) as http:
        answer = await http.options("/mcp", headers=preflight)
        assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
        allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
        assert allowed >= {"authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "last-event-id", "mcp-method", "mcp-name", "mcp-param-city"}
        assert "x-other" not in allowed and "access-control-allow-credentials" not in answer.headers
        refused = await http.post("/mcp", headers={"origin": "https://inspector.example"})
        assert refused.status_code == 401
        assert refused.headers.get_list("access-control-allow-origin") == ["*"]
        assert {"www-authenticate", "mcp-session-id"} <= {name.strip().lower() for name in refused.headers["access-control-expose-headers"].split(",")}
        # An OPTIONS request that is no preflight needs a token like any other.
        assert (await http.options("/mcp")).status_code == 401


async def test_only_the_origins_that_are_configured_are_allowed() -> None:
    auth = lockstep()
    app = auth.protect(whoami, origins=["https://own.example"])
    preflight = [(b"access-control-request-method", b"POST")]
    status, headers, _, _ = await request(app, method="OPTIONS", headers=[(b"origin", b"https://own.example"), *preflight])
    assert status == 204 and headers[b"access-control-allow-origin"] == b"https://own.example" and headers[b"vary"] == b"Origin"
    status, headers, _, _ = await request(app, method="OPTIONS", headers=[(b"origin", b"https://evil.example"), *preflight])
    assert status == 401 and headers.get(b"access-control-allow-origin") in (None, b"*")
    two = [(b"origin", b"https://own.example"), (b"origin", b"https://evil.example")]
    status, headers, _, _ = await request(app, method="OPTIONS", headers=[*two, *preflight])
    assert status == 401 and headers.get(b"access-control-allow-origin") in (None, b"*")


@pytest.mark.parametrize(("asked", "allowed"), [(b"Mcp-Param-A_b-1", True), (b"mcp-param-", False), (b"mcp-param-\xa0", False), (b"mcp-param-a b", False)])
async def test_only_headers_that_name_a_parameter_are_allowed(asked: bytes, allowed: bool) -> None:
    headers = [(b"origin", b"https://own.example"), (b"access-control-request-method", b"POST"), (b"access-control-request-headers", asked)]
    status, answered, _, _ = await request(lockstep().protect(whoami), method="OPTIONS", headers=headers)
    assert status == 204 and (asked in answered[b"access-control-allow-headers"]) == allowed


@pytest.mark.parametrize("swallowed", [False, True])
async def test_a_missing_scope_becomes_a_challenge_even_where_the_app_swallows_the_exception(swallowed: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        try:
            raise InsufficientScope("notes:write", "notes:read", "notes:write")
        except InsufficientScope:
            if not swallowed:
                raise
        await send({"type": "http.response.body", "body": b'{"jsonrpc":"2.0","id":1,', "more_body": True})
        await send({"type": "http.response.body", "body": b'"result":{"isError":true}}'})

    auth = lockstep()
    async with browser(auth.asgi(auth.protect(app, ["notes:read"]))) as http:
        tokens = await Flow(http).tokens()
        answer = await http.post("/mcp", headers=bearer(tokens["access_token"]))
        assert answer.status_code == 403
        assert challenge_of(answer)["error"] == "insufficient_scope" and challenge_of(answer)["scope"] == "notes:read notes:write"


async def test_an_app_that_gets_along_without_the_scope_is_left_alone() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise InsufficientScope("notes:write")
        except InsufficientScope:
            await JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})(scope, receive, send)

    auth = lockstep()
    async with browser(auth.asgi(auth.protect(app))) as http:
        tokens = await Flow(http).tokens()
        answer = await http.post("/mcp", headers=bearer(tokens["access_token"]))
        assert answer.status_code == 200 and answer.json()["result"] == {"content": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}', 403),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add"}}]', 403),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\u0061dd"}}', 403),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"add"}}', 400),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","name":"list"}}', 400),
        ('{"method":"tools/call","params":{"name":"add"}}'.encode("utf-16"), 400),
        (b"\xef\xbb\xbf" + b'{"method":"tools/call","params":{"name":"add"}}', 400),
        (b"[" * 100_000, 400),
        (b'  \r\n{"method":"tools/call","params":{"name":"add"}}', 403),
        (b"name=add&method=tools/call", 200),
        (b"\xff\xfe\x00binary", 200),
        (b"{" + b" " * (4 * 1024 * 1024), 413),
        (b"x" * (4 * 1024 * 1024 + 1), 200),
        (b"", 200),
    ],
)
async def test_what_a_tool_needs_is_checked_before_the_app_runs(body: bytes, status: int) -> None:
    ran = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ran.append(await Request(scope, receive).body())
        await JSONResponse({})(scope, receive, send)

    auth = lockstep()
    auth.mcp.tool_scopes({"add": "notes:write"})
    async with browser(auth.asgi(auth.protect(app, ["notes:read"]))) as http:
        tokens = await Flow(http).tokens()
        answer = await http.post("/mcp", content=body, headers=bearer(tokens["access_token"]))
        assert answer.status_code == status
        assert ran == ([body] if status == 200 else [])
        if status == 403:
            assert challenge_of(answer)["scope"] == "notes:read notes:write"


CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("padding", ["", "  "])
async def test_a_call_that_arrives_in_pieces_is_checked_like_one_in_one_piece(encoding: str, padding: str) -> None:
    ran = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ran.append(json.loads(await Request(scope, receive).body()))  # as the MCP SDK reads it: in any encoding
        await JSONResponse({})(scope, receive, send)

    auth = lockstep()
    auth.mcp.tool_scopes({"add": "notes:write"})
    guard = auth.protect(app, ["notes:read"])
    async with browser(auth.asgi()) as http:
        token = (await Flow(http).tokens())["access_token"]
    body = (padding + CALL).encode(encoding)
    for cut in range(1, 13):
        for parts in ([body[:cut], body[cut:]], [b"", body[:cut], b"", body[cut:]], [body[at : at + 1] for at in range(cut)] + [body[cut:]]):
            status, *_ = await request(
                guard, method="POST", path="/mcp", headers=[(b"authorization", f"Bearer {token}".encode())], parts=parts
            )
            assert status in (400, 403), (cut, parts)
    assert ran == []


async def test_an_event_stream_that_starts_at_once_still_becomes_a_challenge() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        InsufficientScope("notes:write")
        await send({"type": "http.response.body", "body": b"id: 1\r\nretry: 100\r\ndata: \r\n\r\n", "more_body": True})
        await send({"type": "http.response.body", "body": b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,"result":{"isError":true}}\r\n\r\n', "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    auth = lockstep()
    async with browser(auth.asgi(auth.protect(app))) as http:
        tokens = await Flow(http).tokens()
        assert (await http.post("/mcp", headers=bearer(tokens["access_token"]))).status_code == 403


async def test_a_websocket_needs_a_token_too() -> None:
    auth = lockstep()
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        identity = current_identity()
        sent.append(identity and identity.subject)

    async def send(message: Any) -> None:
        sent.append(message)

    guard = auth.protect(app)
    scope = {"type": "websocket", "headers": [], "query_string": b"", "client": None}
    await guard(dict(scope), httpx.AsyncClient, send)
    await guard({**scope, "extensions": {"websocket.http.response": {}}}, httpx.AsyncClient, send)
    assert sent[0] == {"type": "websocket.close", "code": 1008}
    assert sent[1]["type"] == "websocket.http.response.start" and sent[1]["status"] == 401
    async with browser(auth.asgi()) as http:
        token = (await Flow(http).tokens())["access_token"]
    sent.clear()
    await auth.mcp.step_up(app)(dict(scope), httpx.AsyncClient, send)  # checks nothing itself
    assert sent == [None]
    sent.clear()
    await guard({**scope, "headers": [(b"authorization", f"Bearer {token}".encode())]}, httpx.AsyncClient, send)
    assert sent == ["alice"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_tool_call_with_a_number_that_json_lacks_is_refused(number: str) -> None:
    auth = lockstep()
    auth.mcp.tool_scopes({"add": "notes:write"})
    async with browser(auth.asgi(auth.protect(whoami, ["notes:read"]))) as http:
        tokens = await Flow(http).tokens()
        body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"add","arguments":{{"n":{number}}}}}}}'
        answer = await http.post("/mcp", headers=bearer(tokens["access_token"]), content=body)
        assert answer.status_code == 400
        assert answer.content == b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}'

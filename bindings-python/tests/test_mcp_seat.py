"""Servers of the official MCP SDK: behind the guard, and with our verifier in the SDK's own seat."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from flow import MCP, ORIGIN, Flow, bearer, browser, challenge_of, lockstep

from lockstep_oauth import InsufficientScope, Lockstep, current_identity

pytest.importorskip("mcp")
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings

pytestmark = pytest.mark.anyio

OPEN = TransportSecuritySettings(enable_dns_rebinding_protection=False)
MODERN = "2026-07-28"


def add_tools(server: MCPServer, auth: Lockstep) -> None:
    @server.tool()
    async def whoami() -> dict[str, Any]:
        identity, token = current_identity(), get_access_token()
        assert identity is not None and token is not None
        return {"subject": identity.subject, "token": [token.subject, token.client_id, token.resource]}

    @server.tool()
    def publish() -> str:
        """Finds out while it runs that it needs more."""
        raise InsufficientScope("notes:write")

    @server.tool()
    async def report(ctx: Context) -> str:
        """Says something before it finds out: too late for a challenge."""
        await ctx.report_progress(1, 2)
        await anyio.sleep(0.05)
        raise InsufficientScope("notes:write")

    @server.tool()
    @auth.mcp.requires("notes:write")
    async def add_note(text: str) -> str:
        return f"added {text}"

    @server.tool()
    def fail() -> str:
        raise RuntimeError("an ordinary failure")


@contextlib.asynccontextmanager
async def serving(guarded: bool, *, stateless: bool, json_response: bool, **changes: Any) -> AsyncIterator[Any]:
    auth = lockstep(**changes)
    seat: dict[str, Any] = {} if guarded else {"token_verifier": auth.mcp.token_verifier(), "auth": auth.mcp.auth_settings(scopes=["notes:read"])}
    server = MCPServer("notes", **seat)
    add_tools(server, auth)
    inner = server.streamable_http_app(stateless_http=stateless, json_response=json_response, transport_security=OPEN)
    app = auth.asgi(auth.protect(inner, ["notes:read"]) if guarded else auth.mcp.step_up(inner, scopes=["notes:read"]))
    async with server.session_manager.run(), browser(app) as http:
        yield http


class Caller:
    """A JSON-RPC client of either era."""

    def __init__(self, http: Any, token: str, modern: bool) -> None:
        self.http, self.modern = http, modern
        self.headers = {**bearer(token), "accept": "application/json, text/event-stream", "mcp-protocol-version": MODERN if modern else "2025-06-18"}

    async def open(self) -> None:
        if self.modern:
            return
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        answer = await self.post("initialize", params)
        assert answer.status_code == 200, answer.text
        if "mcp-session-id" in answer.headers:
            self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]

    async def post(self, method: str, params: dict[str, Any]) -> Any:
        headers = dict(self.headers)
        if self.modern:
            headers["mcp-method"] = method
            if "name" in params:
                headers["mcp-name"] = params["name"]
            meta = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
            params = {**params, "_meta": {**meta, "progressToken": "p"}}
        elif "name" in params:
            params = {**params, "_meta": {"progressToken": "p"}}
        return await self.http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers=headers)

    async def call(self, tool: str, **arguments: Any) -> Any:
        return await self.post("tools/call", {"name": tool, "arguments": arguments})


def result(answer: Any) -> Any:
    assert answer.status_code == 200, (answer.status_code, answer.text)
    if answer.headers["content-type"].startswith("text/event-stream"):
        datas = [line[5:].strip() for line in answer.text.splitlines() if line.startswith("data:") and line[5:].strip()]
        return json.loads(datas[-1])["result"]
    return answer.json()["result"]


@pytest.mark.parametrize("modern", [False, True], ids=["2025", "2026"])
@pytest.mark.parametrize("json_response", [False, True], ids=["events", "json"])
@pytest.mark.parametrize("stateless", [False, True], ids=["sessions", "stateless"])
@pytest.mark.parametrize("guarded", [True, False], ids=["protect", "verifier"])
async def test_tools_know_the_caller_and_a_missing_scope_is_a_real_challenge(guarded: bool, stateless: bool, json_response: bool, modern: bool) -> None:
    async with serving(guarded, stateless=stateless, json_response=json_response) as http:
        refused = await http.post("/mcp", json={})
        assert refused.status_code == 401
        assert challenge_of(refused)["resource_metadata"] == f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"

        tokens = await Flow(http).tokens("notes:read")
        caller = Caller(http, tokens["access_token"], modern)
        await caller.open()
        said = result(await caller.call("whoami"))
        assert json.loads(said["content"][0]["text"]) == {"subject": "alice", "token": ["alice", "demo", MCP]}

        for tool, arguments in (("publish", {}), ("add_note", {"text": "x"})):
            answer = await caller.call(tool, **arguments)
            assert answer.status_code == 403, (tool, answer.text)
            challenge = challenge_of(answer)
            assert challenge["error"] == "insufficient_scope" and challenge["scope"] == "notes:read notes:write"
            assert challenge["resource_metadata"].endswith("/oauth-protected-resource/mcp")

        assert result(await caller.call("fail"))["isError"] is True
        stepped = Caller(http, (await Flow(http).tokens("notes:read notes:write"))["access_token"], modern)
        await stepped.open()
        assert result(await stepped.call("add_note", text="milk"))["content"][0]["text"] == "added milk"
        assert current_identity() is None


async def test_once_the_tool_has_said_something_the_client_sees_its_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lockstep_oauth")
    async with serving(True, stateless=False, json_response=False) as http:
        tokens = await Flow(http).tokens("notes:read")
        caller = Caller(http, tokens["access_token"], modern=False)
        await caller.open()
        assert result(await caller.call("report"))["isError"] is True
    assert "a missing scope (notes:write) was found after the answer had started" in caplog.text


@pytest.mark.parametrize("guarded", [True, False], ids=["protect", "verifier"])
async def test_a_session_belongs_to_the_user_who_opened_it(guarded: bool) -> None:
    async with serving(guarded, stateless=False, json_response=True) as http:
        alice = Caller(http, (await Flow(http).tokens("notes:read", user="alice"))["access_token"], modern=False)
        await alice.open()
        bob = Caller(http, (await Flow(http).tokens("notes:read", user="bob"))["access_token"], modern=False)
        bob.headers["mcp-session-id"] = alice.headers["mcp-session-id"]
        assert (await bob.call("whoami")).status_code == 404
        # A session outlives its first token: who calls is who holds this request's token.
        again = Caller(http, (await Flow(http).tokens("notes:read notes:write", user="alice"))["access_token"], modern=False)
        again.headers["mcp-session-id"] = alice.headers["mcp-session-id"]
        assert result(await again.call("add_note", text="x"))["content"][0]["text"] == "added x"


async def test_the_verifier_accepts_tokens_of_its_resource_only() -> None:
    auth = lockstep(resource=None, resources=[MCP, f"{ORIGIN}/api"])
    async with browser(auth.asgi()) as http:
        token = (await Flow(http, resource=f"{ORIGIN}/api").tokens())["access_token"]
    assert await auth.mcp.token_verifier().verify_token(token) is None
    assert await auth.mcp.token_verifier().verify_token("snö") is None
    access = await auth.mcp.token_verifier(resource=f"{ORIGIN}/api").verify_token(token)
    assert access is not None and access.subject == "alice" and access.resource == f"{ORIGIN}/api"
    assert access.claims is not None and access.claims["iss"] == ORIGIN and access.claims["tier"] == "gold"
    assert token not in repr(auth.mcp.auth_settings())


async def test_the_sdks_own_seat_works_without_our_guard() -> None:
    auth = lockstep()
    server = MCPServer("notes", token_verifier=auth.mcp.token_verifier(), auth=auth.mcp.auth_settings())
    add_tools(server, auth)
    app = auth.asgi(server.streamable_http_app(transport_security=OPEN, json_response=True))
    async with server.session_manager.run(), browser(app) as http:
        tokens = await Flow(http).tokens("notes:read")
        caller = Caller(http, tokens["access_token"], modern=False)
        await caller.open()
        # Without a guard the tool checks for itself, and the error stays within JSON-RPC.
        assert result(await caller.call("add_note", text="x"))["isError"] is True

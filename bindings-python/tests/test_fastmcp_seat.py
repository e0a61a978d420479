"""FastMCP with our provider: one argument, and the server is its own authorization server."""

import json
from typing import Any

import pytest
from flow import CALLBACK, MCP, ORIGIN, Flow, bearer, browser, challenge_of, lockstep

from lockstep_oauth import ConfigurationError, InsufficientScope, current_identity

pytest.importorskip("fastmcp")
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token

pytestmark = pytest.mark.anyio


def serve(**changes: Any) -> Any:
    auth = lockstep(**changes)
    server = FastMCP("notes", auth=auth.fastmcp(scopes=["notes:read"]))

    @server.tool
    async def whoami() -> dict[str, Any]:
        identity, token = current_identity(), get_access_token()
        assert identity is not None and token is not None
        return {"subject": identity.subject, "token": [token.subject, token.client_id, token.scopes]}

    @server.tool
    def publish() -> str:
        raise InsufficientScope("notes:write")

    @server.tool
    @auth.mcp.requires("notes:write")
    def add_note(text: str) -> str:
        return f"added {text}"

    return server.http_app(path="/mcp", stateless_http=True, json_response=True)


async def call(http: Any, token: str, tool: str, **arguments: Any) -> Any:
    headers = {**bearer(token), "accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    return await http.post("/mcp", json=message, headers=headers)


async def test_one_server_from_discovery_to_step_up() -> None:
    app = serve()
    async with app.lifespan(app), browser(app) as http:
        refused = await http.post("/mcp", json={})
        assert refused.status_code == 401
        metadata = challenge_of(refused)["resource_metadata"]
        assert metadata == f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"
        assert (await http.get(metadata)).json()["resource"] == MCP
        server = (await http.get("/.well-known/oauth-authorization-server")).json()
        registered = await http.post(server["registration_endpoint"], json={"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"})
        flow = Flow(http, client_id=registered.json()["client_id"])
        managed = registered.json()["registration_client_uri"]
        assert (await http.get(managed, headers=bearer(registered.json()["registration_access_token"]))).status_code == 200
        assert (await http.options("/token", headers={"origin": "https://x.example", "access-control-request-method": "POST"})).status_code == 204

        token = (await flow.tokens("notes:read"))["access_token"]
        answer = await call(http, token, "whoami")
        said = json.loads(answer.json()["result"]["content"][0]["text"])
        assert said == {"subject": "alice", "token": ["alice", flow.client_id, ["notes:read"]]}
        for tool, arguments in (("publish", {}), ("add_note", {"text": "x"})):
            answer = await call(http, token, tool, **arguments)
            assert answer.status_code == 403, answer.text
            assert challenge_of(answer)["scope"] == "notes:read notes:write"

        token = (await flow.tokens("notes:read notes:write"))["access_token"]
        assert (await call(http, token, "add_note", text="milk")).json()["result"]["content"][0]["text"] == "added milk"
        assert current_identity() is None


async def test_a_token_without_the_scope_that_all_tools_need_is_challenged() -> None:
    app = serve()
    async with app.lifespan(app), browser(app) as http:
        token = (await Flow(http).tokens("notes:write"))["access_token"]
        answer = await call(http, token, "whoami")
        assert answer.status_code == 403 and challenge_of(answer)["error"] == "insufficient_scope"


def test_a_resource_that_is_not_configured_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not configured"):
        lockstep().fastmcp(resource=f"{ORIGIN}/other")

"""Every block of Python in the guides runs, and does what the text around it says."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flow import CALLBACK, MCP, RING, Flow, bearer, browser, challenge_of
from mcp.server.mcpserver import MCPServer

import lockstep_oauth
from lockstep_oauth import Lockstep, User
from lockstep_oauth.configuration import KEYWORDS

HERE = Path(__file__).resolve().parent
GUIDE, FRONT = HERE.parent / "README.md", HERE.parent.parent / "README.md"

pytestmark = pytest.mark.anyio


def blocks(page: Path) -> list[tuple[str, int, str]]:
    """Return the heading, the line and the text of each block of Python."""
    found, heading, start, lines = [], "", 0, page.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if start and line == "```":
            found.append((heading, start, "\n".join(lines[start : number - 1])))
            start = 0
        elif line == "```python":
            start = number
        elif line.startswith("## ") and not start:
            heading = line[3:]
    return found


def run(page: Path, until: str = "", **names: Any) -> dict[str, Any]:
    """Run the blocks in their order, to the end of that heading."""
    ran, space = False, {"__name__": "guide", **names}
    for heading, line, text in blocks(page):
        if ran and heading != until:
            break
        ran = ran or heading == until
        exec(compile("\n" * line + text, str(page), "exec"), space)
    assert ran or not until, f"there is no block under {until}"
    return space


@pytest.fixture(autouse=True)
def an_empty_folder_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCKSTEP_KEYS", RING)
    monkeypatch.delenv("LOCKSTEP_KEYS_FILE", raising=False)
    logger = logging.getLogger("lockstep_oauth.audit")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


def rpc(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


async def call(http: Any, token: str, tool: str, **arguments: Any) -> Any:
    headers = {**bearer(token), "accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    return await http.post("/mcp", json=rpc(tool, **arguments), headers=headers)


async def registered(http: Any) -> Flow:
    answer = await http.post("/register", json={"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"})
    return Flow(http, answer.json()["client_id"])


async def test_every_block_of_the_guide_runs() -> None:
    space = run(GUIDE)
    assert space["answer"].response.status == 200
    assert len(GUIDE.read_text().splitlines()) <= 300


async def test_the_front_page_runs() -> None:
    four_lines: dict[str, Any] = {"current_user": lambda request: User("alice"), "read_notes": lambda subject: [subject]}
    exec(blocks(FRONT)[0][2], four_lines)
    async with browser(four_lines["app"]) as http:
        assert (await http.get("/notes")).status_code == 401
    space = run(FRONT, current_user=lambda request: User("alice"), read_notes=lambda subject: [subject], mcp=MCPServer("notes"))
    async with browser(space["app"]) as http:
        assert (await http.post("/mcp", json={})).status_code == 401
        assert (await http.get("/.well-known/oauth-protected-resource/mcp")).json()["resource"] == MCP


async def test_four_lines_send_the_browser_to_the_login() -> None:
    space = run(GUIDE, "Four lines")
    token = await space["auth"].issue_personal_token("ada", "x", ["notes:read"], 60)
    async with browser(space["app"]) as http:
        assert challenge_of(await http.get("/notes"))["scope"] == "notes:read"
        assert (await http.get("/notes", headers=bearer(token.token))).json() == ["a note of ada"]
        page = await Flow(http, "stranger").page()
        assert page.status_code == 400 and "client.unknown" in page.text


async def test_guards_and_clients() -> None:
    space = run(GUIDE, "Guards")
    async with browser(space["app"]) as http:
        token = (await Flow(http).tokens())["access_token"]
        assert (await http.get("/files/x")).status_code == 401
        assert (await http.get("/files/x", headers=bearer(token))).text == "alice by demo"


async def test_step_up() -> None:
    async with browser(run(GUIDE, "Step-up")["app"]) as http:
        answer = await http.post("/notes", headers=bearer((await Flow(http).tokens())["access_token"]))
        assert answer.status_code == 403 and challenge_of(answer)["scope"] == "notes:read notes:write"
        token = (await Flow(http).tokens("notes:write"))["access_token"]
        assert (await http.post("/notes", headers=bearer(token))).status_code == 200


async def test_several_ways_in() -> None:
    async with browser(run(GUIDE, "Several ways in")["app"]) as http:
        assert (await http.get("/notes", headers={"x-api-key": "an API key of yours"})).json() == ["robot", "external"]
        token = (await Flow(http).tokens())["access_token"]
        assert (await http.get("/notes", headers=bearer(token))).json() == ["alice", "access"]
        assert (await http.get("/notes")).json() == ["alice", "external"]
        assert (await http.get("/notes", headers=bearer("a-token-of-nobody"))).status_code == 401


async def test_the_official_sdk() -> None:
    block = next(text for heading, _, text in blocks(GUIDE) if heading == "The official MCP SDK and FastMCP")
    space = run(GUIDE, "Several ways in")
    exec(block, space)
    app = space["app"]
    async with app.router.lifespan_context(app), browser(app) as http:
        flow = await registered(http)
        token = (await flow.tokens())["access_token"]
        assert (await http.post("/mcp", json={})).status_code == 401
        assert (await call(http, token, "add_note", text="milk")).status_code == 403
        token = (await flow.tokens("notes:read notes:write"))["access_token"]
        assert (await call(http, token, "add_note", text="milk")).json()["result"]["content"][0]["text"] == "added milk for alice"


async def test_fastmcp() -> None:
    pytest.importorskip("fastmcp")
    app = run(GUIDE, "The official MCP SDK and FastMCP")["app"]
    async with app.lifespan(app), browser(app) as http:
        assert challenge_of(await http.post("/mcp", json={}))["resource_metadata"].endswith("/oauth-protected-resource/mcp")
        token = (await (await registered(http)).tokens())["access_token"]
        assert "Unknown tool" in (await call(http, token, "none")).text


async def test_the_consent_page() -> None:
    auth = run(GUIDE, "A consent page of your own")["auth"]
    async with browser(auth.asgi()) as http:
        http.cookies.set("session", "alice")
        assert "<h1>Demo (" in (await Flow(http).page()).text
        assert (await Flow(http).tokens())["scope"] == "notes:read"
        assert (await http.get("/.well-known/ai-catalog.json")).json() == {"name": "Notes"}


async def test_account_pages() -> None:
    space = run(GUIDE, "Connected apps and personal tokens")
    async with browser(space["auth"].asgi()) as http:
        tokens = await Flow(http).tokens()
        assert await space["account_page"]("alice") == ["Demo: notes:read"]
        assert await space["auth"].check_token(tokens["access_token"], MCP) is None
        assert "shown once" in await space["token_page"]("alice")


async def test_below_a_prefix() -> None:
    async with browser(run(GUIDE, "Prefixes and proxies")["outer"], "https://host.example") as http:
        for path in ("/.well-known/oauth-authorization-server/svc", "/.well-known/oauth-protected-resource/svc/mcp", "/svc/.well-known/openid-configuration"):
            assert (await http.get(path)).status_code == 200, path


def test_the_table_has_every_option_once() -> None:
    table = GUIDE.read_text().partition("## Every option")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.M)) == sorted(KEYWORDS)


def test_what_the_guides_name_is_there() -> None:
    text = re.sub(r"(?s)```js\n.*?```", "", GUIDE.read_text() + FRONT.read_text())
    for name in re.findall(r"\bauth\.(?:mcp\.)?(\w+)\(", text):
        assert hasattr(Lockstep, name) or name in ("token_verifier", "auth_settings", "tool_scopes", "requires", "step_up"), name
    for name in re.findall(r"`(?:lockstep_oauth\.)?([A-Z][A-Za-z]+)(?:\(|`)", text):
        assert hasattr(lockstep_oauth, name) or name in ("Depends", "Path", "Authorization", "SafeFetcher", "None", "True", "False"), name
    for page in (GUIDE, FRONT):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"

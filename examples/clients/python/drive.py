"""Drive the official MCP Python SDK through the whole life of a connection, and check every step.

    python drive.py http://127.0.0.1:8787

Exit code 0 only if every step held.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthMetadata, OAuthToken
from pydantic import AnyUrl

from wire import Browser, CheckFailed, DocumentServer, Exchange, Trace, Wire


T = TypeVar("T")


class Memory(TokenStorage):
    """Where the SDK keeps tokens and client. A real client uses the system's keychain."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def there(value: T | None, what: str) -> T:
    if value is None:
        raise CheckFailed(f"the SDK holds no {what}")
    return value


class Connection:
    """One MCP client of one user: the SDK's OAuth provider, our tapped transport, and a browser."""

    def __init__(self, trace: Trace, base: str, document: DocumentServer, mode: str, published: bool) -> None:
        self.trace, self.url, self.mode = trace, base + "/mcp", mode
        self.browser = Browser(trace, "alice", "wonderland")
        self.redirect_uri = document.origin + "/callback"
        self.answer: dict[str, str] = {}
        self.away = False  # True: nobody sits at the browser
        self.memory = Memory()
        self.provider = OAuthClientProvider(
            server_url=self.url,
            client_metadata=OAuthClientMetadata(
                client_name="Python demonstration client",
                redirect_uris=[AnyUrl(self.redirect_uri)],
                token_endpoint_auth_method="none",
            ),
            storage=self.memory,
            redirect_handler=self.open_browser,
            callback_handler=self.callback,
        )
        if published:
            # The constructor takes https documents only (as it must); ours is on loopback http. Setting the field
            # afterwards steps around that one check: all that follows is the SDK's own code.
            self.provider.context.client_metadata_url = document.url
        self.wire = Wire(trace, "client")

    async def open_browser(self, url: str) -> None:
        if self.away:
            raise CheckFailed("a new login was asked for")
        self.answer = await self.browser.visit(url, until=self.redirect_uri)

    async def callback(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=self.answer.get("code", ""), state=self.answer.get("state"), iss=self.answer.get("iss"))

    async def call(self, tool: str, **arguments: str) -> str:
        """Connect, call one tool, disconnect."""
        http = httpx2.AsyncClient(transport=self.wire, auth=self.provider, timeout=20)
        async with Client(streamable_http_client(self.url, http_client=http), mode=self.mode) as client:
            result = await client.call_tool(tool, arguments)
        self.trace.check(not result.is_error, f"the tool {tool} answered")
        return " ".join(getattr(part, "text", "") for part in result.content)

    @property
    def tokens(self) -> OAuthToken:
        return there(self.memory.tokens, "tokens")

    @property
    def client_id(self) -> str:
        return there(self.memory.client, "client").client_id

    @property
    def scopes(self) -> list[str]:
        return (self.tokens.scope or "").split()

    @property
    def server(self) -> OAuthMetadata:
        """The authorization server's document, as the SDK has read it."""
        return there(self.provider.context.oauth_metadata, "server metadata")

    def last_refresh(self) -> Exchange:
        return self.trace.last(token_request("refresh_token"))

    def expire(self) -> None:
        """Make the SDK believe that its access token has expired: it keeps the time, so we set it back."""
        self.provider.context.token_expiry_time = 1.0


def well_known(kind: str) -> Callable[[Exchange], bool]:
    return lambda e: e.method == "GET" and e.path.startswith(f"/.well-known/{kind}") and e.status == 200


def token_request(grant: str) -> Callable[[Exchange], bool]:
    return lambda e: e.form.get("grant_type") == grant


async def connect(c: Connection, published: bool) -> None:
    """From nothing to the first tool call: one call of the SDK, many exchanges."""
    trace = c.trace
    identify = (
        (lambda e: e.who == "server", "The server reads the client's document",
         "The client_id is a URL. The server fetches it to learn the client's name and where it may be sent back to.")
        if published else
        (lambda e: e.path.endswith("/register"), "The client registers",
         "The client has no document of its own, so it asks for a client_id (RFC 7591; older, and open to anyone).")
    )
    consent = (lambda e: e.path.endswith("/authorize"), "Sign-in and consent",
               "The browser opens /authorize. The user signs in to the app, sees who asks for what, and allows it.")
    trace.expect(
        (lambda e: e.status == 401, "A call without a token",
         "The server must refuse with 401 and say where its metadata is (RFC 9728)."),
        (well_known("oauth-protected-resource"), "Who protects this resource?",
         "The resource's own document names its authorization server."),
        (well_known("o"), "What can that server do?",
         "The authorization server's document (RFC 8414) names its endpoints and abilities."),
        *((identify, (lambda e: e.who == "browser", *consent[1:])) if published else (identify, consent)),
        (token_request("authorization_code"), "The code becomes tokens",
         "The browser came back with a code. It is worth nothing without the verifier that only this client knows (PKCE)."),
        (lambda e: e.path.endswith("/mcp") and "authorization" in e.headers and e.status == 200, "The call, with a token",
         "The same call again, and now the server knows for whom."),
    )
    notes = await c.call("list_notes")
    trace.done()

    refused = trace.last(lambda e: e.status == 401)
    trace.check(urlsplit(refused.challenge.get("resource_metadata", "")).path == "/.well-known/oauth-protected-resource/mcp",
                "the 401 names the resource's metadata document")
    trace.check("notes:read" in refused.challenge.get("scope", ""), "the 401 names the scope to ask for")
    resource = trace.last(well_known("oauth-protected-resource")).json
    trace.check(resource["resource"] == c.url, "the resource's document names exactly the URL we called")
    server = c.server
    trace.check(str(server.issuer) == resource["authorization_servers"][0], "the issuer is the one that the resource named")
    trace.check(server.code_challenge_methods_supported == ["S256"], "PKCE with S256 is offered, and nothing weaker")
    asked = trace.last(lambda e: "response_type" in e.query).query
    trace.check(asked["resource"] == c.url, "the client asked for a token for this resource only (RFC 8707)")
    trace.check(c.answer.get("iss") == str(server.issuer), "the browser came back with the issuer's name (RFC 9207)")
    trace.check(asked["client_id"] == c.client_id and published == (c.client_id == c.provider.context.client_metadata_url),
                "the client_id is the document's URL" if published else "the client_id is the registered one")
    trace.check("notes:read" in c.scopes, "the token can read notes")
    trace.check("notes:write" not in c.scopes, "and cannot write them")
    trace.check(c.tokens.refresh_token, "there is a refresh token")
    trace.check("Buy milk" in notes, "the answer is alice's notes")


async def refresh(c: Connection) -> None:
    c.trace.step("The access token expires", "The SDK trades the refresh token for a new pair; the old refresh token is used up.")
    before = c.tokens
    c.expire()
    await c.call("whoami")
    sent = c.last_refresh()
    c.trace.check(sent.form["refresh_token"] == before.refresh_token and sent.status == 200, "the refresh token was accepted")
    c.trace.check(c.tokens.access_token != before.access_token, "the access token is new")
    c.trace.check(c.tokens.refresh_token != before.refresh_token, "the refresh token was rotated")


async def lost_answer(c: Connection) -> None:
    c.trace.step("A refresh whose answer gets lost",
                 "The server has rotated the token, but the connection breaks before the client hears of it.")
    before = c.tokens
    c.expire()
    c.wire.lose = token_request("refresh_token")
    try:
        await c.call("whoami")
    except* httpx2.ReadError:
        print("     The SDK gives up this call. It still holds the old refresh token.")
    else:
        raise CheckFailed("the answer should have been lost")
    lost = c.last_refresh()
    c.trace.check(lost.lost and lost.status == 200, "the server had answered 200")
    c.trace.check(c.tokens == before, "the client knows nothing of it")

    c.trace.step("The same refresh token again",
                 "Elsewhere this looks like theft and ends in a new login. Lockstep gives the same successor once more.")
    c.away = True
    await c.call("whoami")
    c.away = False
    again = c.last_refresh()
    c.trace.check(again.form["refresh_token"] == before.refresh_token, "the same refresh token was sent")
    c.trace.check(again.json["refresh_token"] == lost.json["refresh_token"], "the answer holds the SAME next refresh token")
    c.trace.check(again.json["access_token"] == lost.json["access_token"], "and the SAME access token: no second branch exists")


async def step_up(c: Connection) -> None:
    trace = c.trace
    trace.expect(
        (lambda e: e.tool == "add_note" and e.status == 403, "A tool that needs more",
         "Writing was not granted. The server answers 403 and names the missing scope; the SDK asks the user for it."),
        (lambda e: e.who == "browser", "Consent for one scope more", "The SDK asks for what it had and the new scope together."),
        (token_request("authorization_code"), "A new code, new tokens", "The wider grant replaces the narrow one in the client."),
        (lambda e: e.tool == "add_note" and e.status == 200, "The tool again", "The same call, repeated by the SDK, now succeeds."),
    )
    text = await c.call("add_note", text="Written through OAuth")
    trace.done()
    refused = trace.last(lambda e: e.status == 403)
    trace.check(refused.answer_headers["www-authenticate"].startswith("Bearer "), "the 403 carries a Bearer challenge")
    trace.check(refused.challenge.get("error") == "insufficient_scope", "its error is insufficient_scope")
    trace.check("notes:write" in refused.challenge.get("scope", "").split(), "its scope names what this call needs")
    trace.check(urlsplit(refused.challenge.get("resource_metadata", "")).path == "/.well-known/oauth-protected-resource/mcp",
                "it names the metadata document again")
    asked = trace.last(lambda e: "response_type" in e.query).query["scope"].split()
    trace.check({"notes:read", "notes:write"} <= set(asked), "the client asked for the union of old and new")
    trace.check({"notes:read", "notes:write"} <= set(c.scopes), "the new token holds both scopes")
    trace.check("Written through OAuth" in text, "the note was added")


async def revoke(c: Connection) -> None:
    c.trace.step("The client disconnects", "It hands its refresh token to /revoke (RFC 7009), which ends the whole grant.")
    tokens, server = c.tokens, c.server
    c.trace.check(server.revocation_endpoint, "the server's document names a revocation endpoint")
    async with httpx2.AsyncClient(transport=c.wire) as http:  # the SDK has no call for this, so plain HTTP
        form = {"token": tokens.refresh_token, "token_type_hint": "refresh_token", "client_id": c.client_id}
        answer = await http.post(str(server.revocation_endpoint), data=form)
    c.trace.check(answer.status_code == 200, "revocation answered 200")

    c.trace.step("A call after that", "The access token has not expired, but its grant is gone: 401, and the SDK wants a new login.")
    c.away, before, served = True, len(c.trace.exchanges), False
    with contextlib.suppress(BaseExceptionGroup, CheckFailed):
        await c.call("list_notes")
        served = True
    refused = c.trace.exchanges[before]
    c.trace.check(not served, "the call was refused")
    c.trace.check(refused.headers.get("authorization") == f"Bearer {tokens.access_token}", "the old access token was sent")
    c.trace.check(refused.status == 401 and refused.challenge.get("error") == "invalid_token", "401 invalid_token")
    async with httpx2.AsyncClient(transport=c.wire) as http:
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "client_id": c.client_id, "resource": c.url}
        answer = await http.post(str(server.token_endpoint), data=form)
    c.trace.check(answer.status_code == 400 and answer.json().get("error") == "invalid_grant", "the refresh token is dead too")


async def life(trace: Trace, base: str, document: DocumentServer, published: bool) -> None:
    # The published client speaks the newest protocol (no session); the registering one the older handshake.
    c = Connection(trace, base, document, mode="auto" if published else "legacy", published=published)
    await connect(c, published)
    await refresh(c)
    await lost_answer(c)
    await step_up(c)
    await revoke(c)
    if published:
        trace.check(document.fetches >= 1, f"the server fetched the client's document ({document.fetches} time(s))")


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="http://127.0.0.1:8787", help="where the example server is")
    base = parser.parse_args().base.rstrip("/")
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its stack traces of refusals we asked for
    trace = Trace()
    document = DocumentServer(trace)
    try:
        print("=== Official Python SDK, client with a published document (CIMD) ===")
        await life(trace, base, document, published=True)
        print("\n=== Official Python SDK, client that registers (DCR) ===")
        await life(trace, base, document, published=False)
    except Exception as problem:
        print("\nFAILED: " + " / ".join(f"{type(e).__name__}: {e}" for e in leaves(problem)), file=sys.stderr)
        return 1
    finally:
        document.close()
    print(f"\nAll {trace.checks} checks held, in {len(trace.exchanges)} exchanges.")
    return 0


def leaves(problem: BaseException) -> list[BaseException]:
    return [e for part in problem.exceptions for e in leaves(part)] if isinstance(problem, BaseExceptionGroup) else [problem]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

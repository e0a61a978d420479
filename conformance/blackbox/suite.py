"""What the cases share: the server under test, its fixture, and the flows that a case changes in one place."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

from . import expect
from .browser import Browser
from .case import Failed, NotApplicable
from .documents import DocumentHost
from .jose import ASSERTION_TYPE, Key, assertion, s256
from .wire import Answer, Pairs, Wire, edit

V0 = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
C0 = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
LOOPBACK_REDIRECT = "http://127.0.0.1:51004/callback"
WAIT_MARGIN_SECONDS = 1.2
KEY_CLIENT_SHARE = 20
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "blackbox", "version": "1"}}}


@dataclass
class Client:
    """A client as the server knows it, with what it takes to authenticate."""

    client_id: str
    redirect_uris: list[str] = field(default_factory=list)
    method: str = "none"
    secret: str = ""
    key: Key | None = None
    registration: dict = field(default_factory=dict)

    @property
    def redirect(self) -> str:
        return next((u for u in self.redirect_uris if u.startswith("https://")), self.redirect_uris[0])

    @property
    def basic(self) -> str:
        return basic(self.client_id, self.secret)


@dataclass
class Code:
    code: str
    client: Client
    redirect: str
    resource: str
    verifier: str = V0


@dataclass
class Tokens:
    access_token: str
    refresh_token: str
    client: Client
    resource: str
    answer: dict


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()


class Suite:
    """One run against one server. Cases get it as `s`."""

    def __init__(self, base: str, fixture: dict, *, code_race: float, retry_window: float, nodes: list[str], fetch_budget: int | None = None) -> None:
        self.base = base.rstrip("/")
        self.fixture = json.loads(json.dumps(fixture).replace("{base}", self.base))
        self.issuer = self.fixture.get("issuer") or self.base + self.fixture.get("issuer_path", "")
        self.code_race, self.retry_window = code_race, retry_window
        self.fetch_budget = fetch_budget
        self.nodes = [n.rstrip("/") for n in nodes]
        self.opaque = self.fixture.get("access_token_format", "opaque") == "opaque"
        self.wire = Wire(self.base)
        self.wire.endpoint_of = self._endpoint_of
        self.metadata: dict = {}
        self.clients = {name: _client(value) for name, value in self.fixture["clients"].items()}
        self._signed_in: dict[str, asyncio.Task] = {}
        self._key_clients: list[asyncio.Task] = []
        self._key_clients_given = 0

    # -- setting up ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads the metadata; raises `Failed` when the server is not there at all."""
        answer = await self.wire.send("GET", self.well_known("oauth-authorization-server"))
        if answer.status == 200 and answer.media_type == "application/json":
            self.metadata = answer.json()

    async def close(self) -> None:
        await self.wire.close()

    def well_known(self, name: str, path: str | None = None) -> str:
        """The RFC 8414 / 9728 form: the well-known string between host and path."""
        return f"{self.base}/.well-known/{name}{urlsplit(self.issuer).path if path is None else path}"

    def url(self, endpoint: str) -> str:
        names = {"authorize": "authorization_endpoint", "token": "token_endpoint", "register": "registration_endpoint", "revoke": "revocation_endpoint", "introspect": "introspection_endpoint"}
        found = self.metadata.get(names.get(endpoint, ""), f"{self.issuer}/{endpoint}")
        origin = "/".join(self.issuer.split("/")[:3])
        return self.base + found[len(origin):] if found.startswith(origin) else found

    def path(self, endpoint: str) -> str:
        return urlsplit(self.url(endpoint)).path

    def _endpoint_of(self, path: str) -> str:
        for endpoint in ("authorize", "consent", "token", "revoke", "introspect", "register"):
            known = self.path(endpoint)
            if path == known or (endpoint == "register" and path.startswith(known + "/")):
                return endpoint
        return ""

    def need(self, holds: object, why: str) -> None:
        if not holds:
            raise NotApplicable(why)

    def need_registration(self) -> None:
        self.need(self.fixture.get("registration") == "open", "the fixture says that registration is not open")

    def need_management(self) -> None:
        self.need_registration()
        self.need(self.fixture.get("registration_management"), "the fixture has no registration_management")

    def need_documents(self) -> None:
        self.need(self.fixture.get("client_documents") == "loopback", "the server may not fetch client documents from loopback (fixture: client_documents)")

    def need_introspection(self) -> Client:
        name = self.fixture.get("introspection_client")
        self.need(name, "the fixture names no introspection_client")
        return self.clients[name]

    def need_jwt(self) -> None:
        self.need(not self.opaque, "the fixture's access_token_format is opaque")

    def client(self, name: str | Client) -> Client:
        if isinstance(name, Client):
            return name
        self.need(name in self.clients, f"the fixture has no client {name!r}")
        return self.clients[name]

    def resource(self, name: str) -> str:
        self.need(name in self.fixture["resources"], f"the fixture has no resource {name!r}")
        return self.fixture["resources"][name]["resource"]

    def person(self, user: str) -> dict:
        return next(p for p in self.fixture["users"] if p["username"] == user)

    @property
    def users(self) -> list[str]:
        return [p["username"] for p in self.fixture["users"]]

    @property
    def read_scope(self) -> str:
        return self.fixture["scopes"]["default"]

    @property
    def write_scope(self) -> str:
        return self.fixture["scopes"]["optional"]

    @property
    def all_scopes(self) -> str:
        return " ".join(v for v in self.fixture["scopes"].values() if v)

    # -- browsers -----------------------------------------------------------------------------------------------

    async def browser(self, user: str | None = None) -> Browser:
        """A browser that signed in as `user` (default: the first) once; cookies of its own from here on."""
        user = user or self.users[0]
        if user not in self._signed_in:
            self._signed_in[user] = asyncio.ensure_future(self.fresh_browser(user))
        return (await asyncio.shield(self._signed_in[user])).clone()

    async def fresh_browser(self, user: str | None = None) -> Browser:
        browser = Browser(self)
        await browser.login(user or self.users[0])
        return browser

    def forget_session(self, user: str) -> None:
        """The next `browser(user)` signs in anew: the session may have been ended."""
        self._signed_in.pop(user, None)

    # -- the flow -----------------------------------------------------------------------------------------------

    def a0(self, client: str | Client = "public", *, resource: str = "mcp", redirect: str | None = None, challenge: str = C0, scope: str | None = None) -> Pairs:
        """A0: the good authorization request."""
        who = self.client(client)
        return [
            ("response_type", "code"),
            ("client_id", who.client_id),
            ("redirect_uri", redirect or who.redirect),
            ("state", "s1"),
            ("scope", self.all_scopes if scope is None else scope),
            ("resource", self.resource(resource)),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]

    async def code(self, client: str | Client = "public", *, user: str | None = None, resource: str = "mcp", redirect: str | None = None, verifier: str = V0, scope: str | None = None, browser: Browser | None = None, scopes: list[str] | None = None) -> Code:
        """Authorizes and approves: one fresh code."""
        who = self.client(client)
        browser = browser or await self.browser(user)
        redirect = redirect or who.redirect
        query = self.a0(who, resource=resource, redirect=redirect, challenge=s256(verifier), scope=scope)
        shown = await browser.consent(query)
        answer = await browser.decide(shown, scopes=scopes)
        return Code(expect.granted(self, answer, redirect=redirect), who, redirect, resource, verifier)

    def t0(self, code: Code) -> Pairs:
        """T0: the good redemption, without client authentication other than client_id."""
        return [
            ("grant_type", "authorization_code"),
            ("code", code.code),
            ("client_id", code.client.client_id),
            ("redirect_uri", code.redirect),
            ("code_verifier", code.verifier),
            ("resource", self.resource(code.resource)),
        ]

    def authenticated(self, client: Client, pairs: Pairs) -> tuple[Pairs, Pairs]:
        """The form and the headers with which this client authenticates."""
        if client.method in ("client_secret_basic", "client_secret_post"):
            return edit(pairs, drop="client_id"), [("Authorization", client.basic)]
        if client.method == "private_key_jwt":
            return edit(pairs, client_assertion_type=ASSERTION_TYPE, client_assertion=assertion(client.key, client.client_id, self.issuer)), []
        return pairs, []

    async def redeem(self, code: Code, /, *, drop=(), add: Pairs = (), headers: Pairs = (), node: str | None = None, **change: str) -> Answer:
        """T0 with changes; the client authenticates as registered."""
        pairs, auth = self.authenticated(code.client, self.t0(code))
        url = self.url("token") if node is None else node + self.path("token")
        return await self.wire.form(url, edit(pairs, drop=drop, add=add, **change), headers=[*auth, *headers])

    def keep(self, code: Code, answer: Answer) -> Tokens:
        value = expect.token_ok(answer)
        return Tokens(value["access_token"], value.get("refresh_token", ""), code.client, code.resource, value)

    async def tokens(self, client: str | Client = "public", **more) -> Tokens:
        """A whole flow: code and redemption."""
        code = await self.code(client, **more)
        tokens = self.keep(code, await self.redeem(code))
        if not tokens.refresh_token and self.fixture["scopes"].get("offline") and more.get("scope") is None:
            raise Failed("setup: a refresh token (all scopes were approved)", str(tokens.answer.keys()))
        return tokens

    def f0(self, tokens: Tokens) -> Pairs:
        """F0: the good refresh."""
        return [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh_token), ("client_id", tokens.client.client_id), ("resource", self.resource(tokens.resource))]

    async def refresh(self, tokens: Tokens, /, *, drop=(), add: Pairs = (), headers: Pairs = (), node: str | None = None, **change: str) -> Answer:
        """F0 with changes; the client authenticates as registered."""
        pairs, auth = self.authenticated(tokens.client, self.f0(tokens))
        url = self.url("token") if node is None else node + self.path("token")
        return await self.wire.form(url, edit(pairs, drop=drop, add=add, **change), headers=[*auth, *headers])

    async def refreshed(self, tokens: Tokens, /, **change: str) -> Tokens:
        value = expect.token_ok(await self.refresh(tokens, **change))
        if not value.get("refresh_token"):
            raise Failed("a refresh token in the answer to a refresh", str(value.keys()))
        return Tokens(value["access_token"], value["refresh_token"], tokens.client, tokens.resource, value)

    async def revoke(self, token: str, client: str | Client = "public", /, *, add: Pairs = (), **change: str) -> Answer:
        who = self.client(client)
        pairs, auth = self.authenticated(who, [("token", token), ("client_id", who.client_id)])
        return await self.wire.form(self.url("revoke"), edit(pairs, add=add, **change), headers=auth)

    async def introspect(self, token: str, client: Client | None = None, /, **change: str) -> Answer:
        who = client or self.need_introspection()
        pairs, auth = self.authenticated(who, [("token", token), ("client_id", who.client_id)])
        return await self.wire.form(self.url("introspect"), edit(pairs, **change), headers=auth)

    # -- registration -------------------------------------------------------------------------------------------

    async def post_registration(self, metadata: dict | str | bytes, *, media_type: str = "application/json", headers: Pairs = ()) -> Answer:
        body = metadata if isinstance(metadata, (str, bytes)) else json.dumps(metadata)
        answer = await self.wire.send("POST", self.url("register"), headers=[("Content-Type", media_type), *headers], body=body)
        if answer.status == 429:
            raise Failed("a registration answer", "429: raise the server's registration budget for the suite")
        return answer

    async def registered(self, redirect_uris: list[str] | None = None, *, method: str = "none", key: Key | None = None, **metadata) -> Client:
        """A freshly registered client."""
        self.need_registration()
        wanted = {"redirect_uris": redirect_uris or ["https://client.example/cb"], "client_name": "Blackbox", "token_endpoint_auth_method": method, "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], **metadata}
        if key:
            wanted["jwks"] = {"keys": [key.jwk]}
        answer = await self.post_registration({k: v for k, v in wanted.items() if v is not None})
        if answer.status != 201:
            raise Failed("setup: 201 from /register", str(answer))
        value = answer.json()
        return Client(value["client_id"], value["redirect_uris"], value.get("token_endpoint_auth_method", "client_secret_basic"), value.get("client_secret", ""), key, value)

    async def key_client(self) -> Client:
        """A client with a key, shared by at most 20 cases: wrong assertions are limited by client and minute."""
        if self.fixture.get("registration") != "open":
            return self.client("jwt")
        if self._key_clients_given % KEY_CLIENT_SHARE == 0:
            self._key_clients.append(asyncio.ensure_future(self.registered(method="private_key_jwt", key=Key.ec("k1"))))
        self._key_clients_given += 1
        return await asyncio.shield(self._key_clients[-1])

    async def manage(self, method: str, client: Client, *, token: str | None = None, body: dict | None = None, url: str | None = None) -> Answer:
        """A request to the client's registration_client_uri with its (or another) registration token."""
        found = url or client.registration.get("registration_client_uri")
        bearer = token or client.registration.get("registration_access_token")
        if not found or not bearer:
            raise Failed("registration_client_uri and registration_access_token in the registration answer", str(client.registration.keys()))
        origin = "/".join(self.issuer.split("/")[:3])
        target = self.base + found[len(origin):] if found.startswith(origin) else found
        headers = [("Authorization", f"Bearer {bearer}")]
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        return await self.wire.send(method, target, headers=headers, body=json.dumps(body) if body is not None else b"")

    # -- the protected resources --------------------------------------------------------------------------------

    async def call(self, token: str | None, *, resource: str = "mcp", headers: Pairs = (), query: str = "") -> Answer:
        """The cheapest call that needs the resource's read scope (MCP: initialize)."""
        where = self.fixture["resources"][resource]
        sent = list(headers) + ([("Authorization", f"Bearer {token}")] if token is not None else [])
        if where["kind"] == "mcp":
            return await self.mcp(where["url"] + query, INITIALIZE, sent)
        return await self.wire.send("GET", where["url"] + query, headers=sent)

    async def mcp(self, url: str, message: dict, headers: Pairs) -> Answer:
        sent = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"), *headers]
        return await self.wire.send("POST", url, headers=sent, body=json.dumps(message))

    async def call_write(self, token: str, *, resource: str = "mcp") -> Answer:
        """A call that needs the resource's write scope: the tool on MCP, POST on REST."""
        where = self.fixture["resources"][resource]
        bearer = [("Authorization", f"Bearer {token}")]
        if where["kind"] != "mcp":
            return await self.wire.send("POST", where["url"], headers=[("Content-Type", "application/json"), *bearer], body=json.dumps({"text": "from the attack suite"}))
        opened = await self.mcp(where["url"], INITIALIZE, bearer)
        if opened.status != 200:
            return opened
        session = [("Mcp-Session-Id", opened.header("mcp-session-id"))] if opened.header("mcp-session-id") else []
        headers = [*bearer, *session, ("MCP-Protocol-Version", "2025-06-18")]
        await self.mcp(where["url"], {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
        return await self.mcp(where["url"], {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": where["write_tool"], "arguments": {"text": "from the attack suite"}}}, headers)

    # -- client documents ---------------------------------------------------------------------------------------

    def document_host(self) -> DocumentHost:
        self.need_documents()
        return DocumentHost()

    def document_client(self, host: DocumentHost, client_id: str, *, redirect: str | None = None, key: Key | None = None) -> Client:
        return Client(client_id, [redirect or host.origin + "/cb"], "private_key_jwt" if key else "none", key=key)

    # -- shortcuts ----------------------------------------------------------------------------------------------

    async def asks(self, query: Pairs | str, *, user: str | None = None) -> Answer:
        """GET /authorize by a signed-in browser."""
        return await (await self.browser(user)).authorize(query)

    async def approved(self, query: Pairs | str, **more) -> Answer:
        """GET /authorize, then approval: the redirect to the client."""
        browser = await self.browser()
        return await browser.decide(await browser.consent(query), **more)

    def random(self, length: int = 43) -> str:
        return secrets.token_urlsafe(length)[:length]

    async def code_race_over(self) -> None:
        await asyncio.sleep(self.code_race + WAIT_MARGIN_SECONDS)

    async def retry_window_over(self) -> None:
        await asyncio.sleep(self.retry_window + WAIT_MARGIN_SECONDS)


def _client(value: dict) -> Client:
    key = Key.from_jwk(value["private_jwk"]) if "private_jwk" in value else None
    return Client(value["client_id"], value.get("redirect_uris", []), value.get("token_endpoint_auth_method", "none"), value.get("client_secret", ""), key)

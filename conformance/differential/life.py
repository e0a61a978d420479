"""What clients, people and programs ask for: requests that make sense, built from what earlier answers have told."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

from blackbox.jose import ASSERTION_TYPE, b64, s256
from wire import Answer, Request
from world import API, DOCUMENT, ISSUER, MCP, OTHERS, SIGNING_KEY

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
JSON = (b"Content-Type", b"application/json")
Pairs = list[tuple[str, str]]
KEPT = 12

STATES = ["xyz", "", "a'b(c)!*~", "ü &=+#/?", "x" * 200, '"><script>', "%25%41", "a b+c"]
SCOPES = ["notes:read", "notes:read notes:write", "notes:write", "notes:all", "notes:read offline_access", "", "notes:read  notes:read", "unknown", "notes:read unknown"]
USERS = ["alice"] * 24 + ["bob"] * 3 + ["bob", "", "login", "login-query", "login-next", "approve", "approve-read", "deny", "wrong", "raise", "mallory", "raising"]
REDIRECTS = {
    "web": ["https://client.example/cb"] * 4 + ["https://client.example/cb?fixed=1", "https://client.example/other"],
    "native": ["http://127.0.0.1/cb", "http://127.0.0.1:40123/cb", "http://localhost:40123/cb", "com.example.app:/cb"],
    "confidential": ["https://client.example/cb"],
    "post": ["https://client.example/cb"],
    "signing": ["https://client.example/cb"],
    "gone": ["https://client.example/cb"],
}
SECRETS = {"confidential": "a secret of the test:client%2B+", "post": "another secret of the test client"}


def form(pairs: Pairs, safe: str = "") -> bytes:
    return "&".join(f"{quote_plus(name, safe=safe)}={quote_plus(value, safe=safe)}" for name, value in pairs).encode()


def basic(name: str, secret: str) -> tuple[bytes, bytes]:
    return b"Authorization", b"Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode())


class Life:
    """Draws the next request, and learns from its answer."""

    def __init__(self, rng: Random, options: dict[str, Any]) -> None:
        self.rng = rng
        self.issuer = options["issuer"]
        self.path = self.issuer.removeprefix(ISSUER)
        self.now = 0
        self.initial = options.get("registration", {}).get("initial_access_tokens", [None])[0]
        self.redirects: dict[str, list[str]] = {**REDIRECTS, DOCUMENT: ["https://app.example/cb"]}
        self.redirects |= {url: ["https://app.example/cb"] for url in OTHERS}
        self.secrets = dict(SECRETS)
        self.pages: list[dict[str, Any]] = []
        self.codes: list[dict[str, str]] = []
        self.tokens: list[dict[str, str]] = []
        self.registered: list[dict[str, str]] = []
        self.personal = "pat_none"
        self.learn: Callable[[Answer], None] = lambda answer: None
        weights: list[tuple[int, Callable[[], Request]]] = [
            (14, self.authorize), (14, self.consent), (16, self.redeem), (14, self.refresh), (14, self.bearer), (5, self.revoke),
            (6, self.introspect), (6, self.register), (5, self.manage), (4, self.document), (3, self.preflight), (2, self.elsewhere), (3, self.sign_in), (4, self.account), (8, self.tool),
        ]  # fmt: skip
        self.kinds = [kind for weight, kind in weights for _ in range(weight)]

    def next(self) -> Request:
        self.learn = lambda answer: None
        return self.rng.choice(self.kinds)()

    def pick(self, among: list[Any], recent: int = 4) -> Any:
        """Mostly a recent one: old ones have been used up, or have expired."""
        if not among:
            return None
        return self.rng.choice(among[-recent:] if self.rng.random() < 0.8 else among)

    def keep(self, among: list[Any], one: Any) -> None:
        among.append(one)
        del among[:-KEPT]

    # --- Authorization ---------------------------------------------------------------------------------------

    def authorize(self) -> Request:
        rng = self.rng
        client = rng.choice(["web"] * 5 + ["native"] * 3 + ["confidential", "post", "signing", "gone", "nobody", *OTHERS, DOCUMENT, DOCUMENT, *self.redirects])
        redirect = rng.choice(self.redirects.get(client, ["https://client.example/cb"]))
        verifier = b64(rng.randbytes(32))
        pairs = [("response_type", "code"), ("client_id", client), ("redirect_uri", redirect), ("code_challenge", s256(verifier)), ("code_challenge_method", "S256")]
        if rng.random() < 0.8:
            pairs.append(("state", rng.choice(STATES)))
        if rng.random() < 0.8:
            pairs.append(("scope", rng.choice(SCOPES)))
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            pairs.append(("resource", rng.choice([MCP, MCP, API, "https://mcp.example/mcp/", "https://MCP.example/mcp", "https://other.example/"])))
        if rng.random() < 0.1:
            pairs.append((rng.choice(["prompt", "login_hint", "claims", "request", "request_uri", "response_mode", "nonce"]), rng.choice(["consent", "none", "x", "query", "form_post"])))
        rng.shuffle(pairs)
        user = rng.choice(USERS)
        headers = [(b"X-User", user.encode())] if user else []
        if rng.random() < 0.2:
            headers.append((b"X-Page", b"own"))
        cookie = self.pick(self.pages)
        if cookie and rng.random() < 0.6:
            headers.append((b"Cookie", cookie["cookie"].encode()))
        self.learn = lambda answer: self.shown(answer, client, redirect, verifier, user)
        if rng.random() < 0.1:
            return Request("authorize by form", b"POST", f"{self.path}/authorize".encode(), None, (*headers, FORM), form(pairs))
        return Request("authorize", b"GET", f"{self.path}/authorize".encode(), form(pairs, rng.choice(["", "", "!'()*,-./:;@_~"])), tuple(headers))

    def shown(self, answer: Answer, client: str, redirect: str, verifier: str, user: str) -> None:
        about = {"client": client, "redirect": redirect, "verifier": verifier, "user": user}
        self._sent_back(answer, about)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.body.decode())
        if answer.body.startswith(b"<!doctype html>{"):
            hidden = json.loads(answer.body[15:])["hidden"]
        action = re.search(r'<form method="post" action="([^"]*)"', answer.body.decode())
        cookies = [cookie.split(";")[0] for cookie in answer.all("set-cookie")]
        if hidden and answer.status == 200:
            known = self.pages[-1]["cookie"] if self.pages else ""
            scopes = re.findall(r'name="scope" value="([^"]*)"', answer.body.decode())
            pasted = re.search(r'<input type="password" [^>]*name="(\w+)"|name="(\w+)" [^>]*type="password"', answer.body.decode())
            page = {**about, "pasted": pasted and (pasted[1] or pasted[2]), "hidden": [(n, html.unescape(v)) for n, v in hidden], "scopes": scopes, "cookie": "; ".join(cookies) or known}
            self.keep(self.pages, {**page, "action": html.unescape(action[1]) if action else f"{self.path}/consent"})

    def _sent_back(self, answer: Answer, about: dict[str, str]) -> None:
        code = parse_qs(urlsplit(answer.header("location") or "").query).get("code")
        if code:
            self.keep(self.codes, {**about, "code": code[0]})

    def consent(self) -> Request:
        rng, page = self.rng, self.pick(self.pages, 2)
        if page is None:
            return self.authorize()
        pairs = [*page["hidden"], *(("scope", scope) for scope in page["scopes"] if rng.random() < 0.7), ("decision", rng.choice(["approve"] * 8 + ["deny", "Approve", ""]))]
        headers = [FORM, (b"Cookie", page["cookie"].encode())]
        if page["user"]:
            headers.append((b"X-User", (page["user"] if rng.random() < 0.95 else "bob").encode()))
        origin = rng.choice([ISSUER] * 4 + ["null", "https://evil.example", ""])
        if origin:
            headers.append((b"Origin", origin.encode()))
        if origin == "null" or rng.random() < 0.3:
            headers.append((b"Sec-Fetch-Site", rng.choice([b"same-origin", b"same-origin", b"cross-site", b"none"])))
        self.learn = lambda answer: self._sent_back(answer, page)
        return Request("consent", b"POST", page["action"].encode(), None, tuple(headers), form(pairs))

    def sign_in(self) -> Request:
        """The built-in sign-in, which pastes a personal token: only one world has it."""
        page = self.pick(self.pages, 2)
        if page is None:
            return self.authorize()
        pairs = [*page["hidden"], (page["pasted"] or "token", self.rng.choice([self.personal] * 5 + ["pat_x", "", "ü"]))]
        headers = [FORM, (b"Origin", ISSUER.encode()), (b"Cookie", page["cookie"].encode())]
        self.learn = lambda answer: self._signed_in(answer, page)
        return Request("sign in", b"POST", page["action"].encode(), None, tuple(headers), form(pairs))

    def _signed_in(self, answer: Answer, page: dict[str, Any]) -> None:
        self.shown(answer, page["client"], page["redirect"], page["verifier"], page["user"])
        for cookie in answer.all("set-cookie"):
            page["cookie"] += "; " + cookie.split(";")[0]

    def account(self) -> Request:
        """The account pages of the app, which are made of the host's operations."""
        path = self.rng.choice([b"/account"] * 4 + [b"/account/personal"] * 4 + [b"/account/disconnect", b"/account/sign-out"])
        if path == b"/account/personal":
            self.learn = self._pasted
        return Request("account", b"POST", path, None, ((b"X-User", self.rng.choice(["alice"] * 6 + ["bob"] * 3 + [""]).encode()),))

    def _pasted(self, answer: Answer) -> None:
        if answer.status == 200:
            self.personal = json.loads(answer.body)[0]

    # --- Tokens ----------------------------------------------------------------------------------------------

    def authenticated(self, client: str, pairs: Pairs) -> tuple[Pairs, list[tuple[bytes, bytes]]]:
        """A client's proof of who it is: in the form, in a header, or signed."""
        secret = self.secrets.get(client)
        if client == "signing":
            return [*pairs, ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", self._assertion(client))], []
        if secret is None:
            return [*pairs, ("client_id", client)], []
        if client == "post" or self.rng.random() < 0.1:
            return [*pairs, ("client_id", client), ("client_secret", secret)], []
        return pairs, [basic(client, secret)]

    def _assertion(self, client: str) -> str:
        header = b64(json.dumps({"alg": "ES256", "kid": SIGNING_KEY.jwk["kid"]}))
        audience = self.rng.choice([self.issuer] * 4 + [f"{self.issuer}/token"])
        claims = {"iss": client, "sub": client, "aud": audience, "jti": b64(self.rng.randbytes(12)), "exp": self.now + self.rng.choice([60, 60, 60, -60, 90_000])}
        text = f"{header}.{b64(json.dumps(claims))}"
        return f"{text}.{b64(SIGNING_KEY.sign(text.encode()))}"

    def redeem(self) -> Request:
        code = self.pick(self.codes, 2)
        if code is None:
            return self.authorize()
        pairs = [("grant_type", "authorization_code"), ("code", code["code"]), ("redirect_uri", code["redirect"]), ("code_verifier", code["verifier"])]
        if self.rng.random() < 0.2:
            pairs.append(("resource", self.rng.choice([MCP, API])))
        self.learn = lambda answer: self._issued(answer, code["client"])
        return self._token(code["client"], pairs, "redeem")

    def refresh(self) -> Request:
        had = self.pick([token for token in self.tokens if "refresh" in token])
        if had is None:
            return self.redeem()
        pairs = [("grant_type", "refresh_token"), ("refresh_token", had["refresh"])]
        if self.rng.random() < 0.2:
            pairs.append(("scope", self.rng.choice(SCOPES)))
        self.learn = lambda answer: self._issued(answer, had["client"])
        return self._token(had["client"], pairs, "refresh")

    def _token(self, client: str, pairs: Pairs, purpose: str) -> Request:
        pairs, headers = self.authenticated(client, pairs)
        self.rng.shuffle(pairs)
        return Request(purpose, b"POST", f"{self.path}/token".encode(), None, (FORM, *headers), form(pairs))

    def _issued(self, answer: Answer, client: str) -> None:
        if answer.status == 200:
            told = json.loads(answer.body)
            one = {"client": client, "access": told["access_token"]}
            self.keep(self.tokens, {**one, "refresh": told["refresh_token"]} if "refresh_token" in told else one)

    def some_token(self) -> str:
        had = self.pick(self.tokens) or {}
        return self.rng.choice([*[had.get("access", "lsa_none")] * 4, self.personal, had.get("refresh", "lsr_none"), "external-carol", "external-gone", "nothing", "lsa_" + "A" * 180])

    def bearer(self) -> Request:
        rng = self.rng
        path = rng.choice([b"/mcp", b"/mcp", b"/mcp", b"/mcp/own", b"/api", b"/api/dependency"])
        headers = [(b"Authorization", f"{rng.choice(['Bearer'] * 6 + ['bearer', 'BEARER', 'DPoP', 'Basic'])} {self.some_token()}".encode())] if rng.random() < 0.93 else []
        if rng.random() < 0.4:
            headers.append((b"Origin", rng.choice([b"https://app.example", b"https://other.example", b"null"])))
        if rng.random() < 0.2:
            headers.append((b"X-Needs", rng.choice([b"notes:write", b"notes:all", b"notes:write notes:read", b"undefined:scope"])))
        query = f"access_token={quote(self.some_token())}".encode() if rng.random() < 0.1 else rng.choice([None, None, b"", b"a=b"])
        return Request("bearer", rng.choice([b"GET", b"GET", b"POST", b"DELETE", b"HEAD"]), path, query, tuple(headers))

    def tool(self) -> Request:
        """A call of a tool, and how its handler lets it be known that a scope is missing."""
        rng = self.rng
        name = rng.choice(["add_note", "add_note", "read_note", "everything", "other", "__proto__", "Größe", "toString", 7])
        message = {"jsonrpc": "2.0", "id": rng.choice([1, "a", 1.5]), "method": rng.choice(["tools/call"] * 5 + ["tools/list", "toString"]), "params": rng.choice([{"name": name, "arguments": {"n": rng.choice([1, 1, 1, 1, 1, 1e400])}}] * 5 + [{}, [name], None])}
        body = self.written(rng.choice([message, message, message, [message], [{"method": "ping"}, message], {**message, "result": {}}, "text", None, {"params": message}]))
        if rng.random() < 0.2:
            swap = rng.choice([(b'"name"', b'"name": "other", "name"'), (b'"name"', b'"n\\u0061me"'), (b"Infinity", b"NaN"), (b"Infinity", b"1"), (b"{", b" \r\n\t{"), (b"1.5", b"-0"), (b"id", b"\\ud800"), (b"}", b",}"), (b'"a"', b"'a'")])
            body = rng.choice([body.replace(*swap), body.replace(*swap, 1), body.decode().encode("utf-16"), body.decode().encode("utf-16-le"), body.decode().encode("utf-32"), b"\xef\xbb\xbf" + body, body.replace(b"Infinity", b"1")])
        headers = [(b"Authorization", f"Bearer {rng.choice([self.some_token(), self.personal])}".encode()), JSON]
        if rng.random() < 0.5:
            headers.append((b"X-Needs", rng.choice([b"notes:write", b"notes:all", b"notes:write notes:read"])))
        if rng.random() < 0.6:
            headers.append((b"X-Swallow", rng.choice([b"json", b"error", b"fine", b"event", b"primed", b"notified", b"kept", b"text"])))
        if rng.random() < 0.3:
            headers.append((b"Origin", rng.choice([b"https://app.example", b"https://other.example"])))
        return Request("tool", rng.choice([b"POST"] * 6 + [b"GET"]), rng.choice([b"/mcp", b"/mcp", b"/mcp/own", b"/api"]), None, tuple(headers), body)

    def revoke(self) -> Request:
        had = self.pick(self.tokens)
        client, token = (had["client"], had.get(self.rng.choice(["refresh", "access"]), had["access"])) if had else ("web", "lsr_none")
        pairs = [("token", token), *([("token_type_hint", self.rng.choice(["access_token", "refresh_token", "x"]))] if self.rng.random() < 0.5 else [])]
        pairs, headers = self.authenticated(client, pairs)
        return Request("revoke", b"POST", f"{self.path}/revoke".encode(), None, (FORM, *headers), form(pairs))

    def introspect(self) -> Request:
        pairs, headers = self.authenticated(self.rng.choice(["confidential"] * 6 + ["post", "web"]), [("token", self.some_token())])
        return Request("introspect", b"POST", f"{self.path}/introspect".encode(), None, (FORM, *headers), form(pairs))

    # --- Registration ----------------------------------------------------------------------------------------

    def metadata(self) -> dict[str, Any]:
        rng = self.rng
        metadata: dict[str, Any] = {"redirect_uris": [rng.choice(["https://made.example/cb", "http://127.0.0.1/cb", "http://made.example/cb", "javascript:alert(1)"])]}
        choices = {
            "client_name": ["Self Made", "Größe <b>", "x" * 300, 7, "\u202etxet", "\ud83d\ude00 app"],
            "token_endpoint_auth_method": ["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "x"],
            "grant_types": [["authorization_code"], ["authorization_code", "refresh_token"], ["implicit"], "authorization_code"],
            "response_types": [["code"], ["token"], []],
            "scope": ["notes:read", "notes:read notes:write", "", 'a"b', 7],
            "application_type": ["native", "web", "x"],
            "jwks": [{"keys": [SIGNING_KEY.jwk]}, {"keys": []}, {}],
            "jwks_uri": ["https://made.example/jwks", "http://made.example/jwks"],
            "client_uri": ["https://made.example/", 1e300, None],
            "software_statement": ["x.y.z"],
            "odd": [1.0, 1e-7, 12345678901234567890, {"a": [[]]}, True],
        }
        for name in rng.sample(sorted(choices), rng.randrange(5)):
            metadata[name] = rng.choice(choices[name])
        return metadata

    def written(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=self.rng.random() < 0.5).encode("utf-8", "surrogatepass")

    def register(self) -> Request:
        headers = [JSON]
        if self.initial and self.rng.random() < 0.9:
            headers.append((b"Authorization", f"Bearer {self.initial}".encode()))
        self.learn = self._registered
        return Request("register", b"POST", f"{self.path}/register".encode(), None, tuple(headers), self.written(self.metadata()))

    def _registered(self, answer: Answer) -> None:
        if answer.status == 201:
            told = json.loads(answer.body)
            self.redirects[told["client_id"]] = told["redirect_uris"]
            if "client_secret" in told:
                self.secrets[told["client_id"]] = told["client_secret"]
            self.keep(self.registered, {"id": told["client_id"], "token": told["registration_access_token"], "uri": urlsplit(told["registration_client_uri"]).path})

    def manage(self) -> Request:
        had = self.pick(self.registered)
        if had is None:
            return self.register()
        method = self.rng.choice([b"GET", b"GET", b"PUT", b"PUT", b"DELETE"])
        headers = [(b"Authorization", f"Bearer {had['token']}".encode())]
        if method != b"PUT":
            return Request("manage", method, had["uri"].encode(), None, tuple(headers))
        body = self.written({"client_id": had["id"], **self.metadata(), **({"client_secret": self.secrets[had["id"]]} if had["id"] in self.secrets and self.rng.random() < 0.7 else {})})
        return Request("manage", method, had["uri"].encode(), None, (*headers, JSON), body)

    # --- Documents -------------------------------------------------------------------------------------------

    def document(self) -> Request:
        path = self.rng.choice([
            f"/.well-known/oauth-authorization-server{self.path}", f"{self.path}/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp",
            f"/.well-known/openid-configuration{self.path}", f"{self.path}/.well-known/openid-configuration", "/.well-known/oauth-protected-resource/api",
            "/.well-known/oauth-protected-resource", "/.well-known/notes", f"{self.path}/jwks", f"{self.path}/.well-known/jwks.json", "/.well-known/oauth-x",
        ])  # fmt: skip
        return Request("document", self.rng.choice([b"GET", b"GET", b"HEAD"]), path.encode())

    def preflight(self) -> Request:
        rng = self.rng
        path = rng.choice(["/mcp", "/mcp/own", "/api", f"{self.path}/token", f"{self.path}/register", f"{self.path}/authorize", "/.well-known/oauth-authorization-server", "/none"])
        asked = rng.choice([b"authorization, content-type", b"Mcp-Param-a, mcp-param-B_2-c, x-other", b"mcp-param-", b"mcp-param-_-", "mcp-param-é".encode("latin-1"), b"mcp-param-a\xa0", b"mcp-param-a ,mcp-param-b\t", b""])
        headers = [(b"Origin", rng.choice([b"https://app.example", b"https://other.example", b"null"])), (b"Access-Control-Request-Method", b"POST"), (b"Access-Control-Request-Headers", asked)]
        return Request("preflight", b"OPTIONS", path.encode(), None, tuple(headers[: rng.choice([1, 2, 3, 3, 3])]))

    def elsewhere(self) -> Request:
        return Request("elsewhere", self.rng.choice([b"GET", b"POST", b"HEAD"]), self.rng.choice([b"/", b"/none", b"/register/x/y", b"/.well-known/other", b"/tokens", b"/authorize.php"]))

"""A toy authorization server in one asyncio file, right enough to pass chosen cases, and broken on demand.

It exists to prove that the suite fails where it must. Never use it for anything else.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import re
import secrets
import time
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

PAGE_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
JSON_HEADERS = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
KNOWN = ("response_type", "client_id", "redirect_uri", "state", "scope", "resource", "code_challenge", "code_challenge_method", "response_mode")


class Refused(Exception):
    def __init__(self, status: int, error: str, headers: list | None = None) -> None:
        self.status, self.error, self.headers = status, error, headers or []


class TinyServer:
    def __init__(self, fixture: dict, flaws: set[str] = frozenset(), *, code_race: float = 1.0, retry_window: float = 1.0) -> None:
        self.fixture, self.flaws = fixture, set(flaws)
        self.code_race, self.retry_window = code_race, retry_window
        self.sessions: dict[str, str] = {}
        self.tickets: dict[str, dict] = {}
        self.codes: dict[str, dict] = {}
        self.families: list[dict] = []

    async def __aenter__(self) -> TinyServer:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_) -> None:
        self.server.close()

    # -- HTTP ---------------------------------------------------------------------------------------------------

    async def serve(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = [(k.strip().lower(), v.strip()) for k, _, v in (line.partition(":") for line in head[1:] if line)]
                body = await reader.readexactly(int(dict(headers).get("content-length", 0)))
                status, sent, content = await self.answer(method, target, headers, body)
                lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in sent), f"Content-Length: {len(content)}"]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, method, target, headers, body):
        parts = urlsplit(target)
        self.headers = headers
        try:
            form = self.read(body.decode()) if method == "POST" and parts.path not in ("/mcp",) else {}
            if parts.path == "/authorize" and method == "GET":
                return self.authorize(parts.query, self.cookie(headers))
            if parts.path == "/consent" and method == "POST":
                return self.consent(form, headers)
            if parts.path == "/login":
                return self.login(method, form, parts.query)
            if parts.path == "/token" and method == "POST":
                await asyncio.sleep(0)
                return await self.token(form)
            if parts.path == "/revoke" and method == "POST":
                return self.revoke(form)
            if parts.path in ("/mcp", "/api/notes"):
                return self.resource(parts.path, method, headers, parts.query, body)
            if parts.path == "/.well-known/oauth-authorization-server":
                return self.json(200, self.metadata())
        except Refused as refused:
            if "crash" in self.flaws and refused.error == "invalid_grant":
                return 500, PAGE_HEADERS, b"Traceback"
            if parts.path in ("/authorize", "/consent"):
                return self.page(refused.status, refused.error)
            return self.json(refused.status, {"error": refused.error, **({"error_description": 'bad "quotes"'} if "bad_description" in self.flaws else {})}, refused.headers)
        return self.page(404, "not found")

    def read(self, text: str) -> dict[str, str]:
        out: dict[str, str] = {}
        for part in filter(None, text.split("&")):
            try:
                if re.search(r"%(?![0-9A-Fa-f]{2})", part):
                    raise ValueError
                name, value = (unquote_to_bytes(x.replace("+", " ")).decode() for x in (part.partition("=")[0], part.partition("=")[2]))
            except ValueError:
                raise Refused(400, "invalid_request") from None
            if name in out and "first_wins" in self.flaws:
                continue
            if name in out and "last_wins" not in self.flaws:
                out["\0duplicates"] = out.get("\0duplicates", "") + name + " "
            if value:
                out[name] = value
        return out

    def json(self, status, value, headers=()):
        sent = [("Content-Type", "application/json"), *headers] if "no_no_store" in self.flaws else [*JSON_HEADERS, *headers]
        return status, sent, json.dumps(value).encode()

    def page(self, status, text, headers=()):
        shown = text if "reflects" in self.flaws else html.escape(text)
        sent = [h for h in PAGE_HEADERS if not ("framable" in self.flaws and h[0] in ("X-Frame-Options", "Content-Security-Policy"))]
        sent = [h for h in sent if not ("referrer" in self.flaws and h[0] == "Referrer-Policy")]
        return status, [*sent, *headers], f"<!doctype html><title>Notes</title><p>{shown}</p>".encode()

    def cookie(self, headers) -> dict[str, str]:
        return dict(p.strip().split("=", 1) for k, v in headers if k == "cookie" for p in v.split(";") if "=" in p)

    def metadata(self):
        return {
            "issuer": self.base, "authorization_endpoint": self.base + "/authorize", "token_endpoint": self.base + "/token", "revocation_endpoint": self.base + "/revoke", "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256", "plain"] if "plain" in self.flaws else ["S256"], "authorization_response_iss_parameter_supported": True,
        }

    # -- the authorization request ------------------------------------------------------------------------------

    def client(self, client_id):
        return next((c for c in self.fixture["clients"].values() if c["client_id"] == client_id), None)

    def authorize(self, query, cookies):
        asked = self.read(query)
        twice = asked.pop("\0duplicates", "").split()
        client = self.client(asked.get("client_id"))
        if not client or "client_id" in twice:
            raise Refused(400, f"unknown client {asked.get('client_id')}")
        redirect = asked.get("redirect_uri", "")
        known = redirect in client["redirect_uris"] or any(re.sub(r"^(http://127\.0\.0\.1)(:[1-9]\d{0,4})(/)", r"\1\3", redirect) == u for u in client["redirect_uris"])
        if "prefix_redirect" in self.flaws:
            known = known or any(redirect.startswith(u) for u in client["redirect_uris"])
        if "redirect_uri" in twice:
            known = False
        if not known and "open_redirect" not in self.flaws:
            raise Refused(400, "unknown redirect " + redirect)
        user = self.sessions.get(cookies.get("session", ""))
        if user is None:
            return self.page(303, "sign in", [("Location", "/login?next=" + quote(f"/authorize?{query}", safe=""))])
        error = self.wrong(asked, twice)
        if error:
            return self.back(redirect, None if "state" in twice else asked.get("state"), error=error)
        ticket, browser = secrets.token_urlsafe(24), cookies.get("lockstep") or secrets.token_urlsafe(24)
        self.tickets[ticket] = {**asked, "user": user, "browser": browser, "seal": secrets.token_urlsafe(16)}
        boxes = "".join(f'<input type="checkbox" name="scope" value="{html.escape(s)}">' for s in asked.get("scope", "").split() if s in ("notes:write", "offline_access"))
        name = client["client_name"]
        form = f'<form method="post" action="/consent"><input type="hidden" name="ticket" value="{ticket}"><input type="hidden" name="seal" value="{self.tickets[ticket]["seal"]}">{boxes}<button name="decision" value="approve">Yes</button><button name="decision" value="deny">No</button></form>'
        status, headers, _ = self.page(200, "", [("Set-Cookie", f"lockstep={browser}; Path=/; HttpOnly; SameSite=Lax")])
        return status, headers, f"<!doctype html><p>{html.escape(name)} at {html.escape(redirect)}</p>{form}".encode()

    def wrong(self, asked, twice):
        if set(twice) & set(KNOWN):
            return "invalid_request"
        if "response_type" not in asked:
            return "invalid_request"
        if asked["response_type"] != "code":
            return "unsupported_response_type"
        method, challenge = asked.get("code_challenge_method"), asked.get("code_challenge", "")
        if "plain" not in self.flaws and (method != "S256" or not re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge)):
            return "invalid_request"
        if asked.get("resource") not in [r["resource"].replace("{base}", self.base) for r in self.fixture["resources"].values()] and "any_resource" not in self.flaws:
            return "invalid_target"
        return None

    def back(self, redirect, state, **answer):
        pairs = {**answer, **({"state": state} if state else {}), **({} if "no_iss" in self.flaws else {"iss": self.base})}
        if "double_code" in self.flaws and "code" in pairs:
            return self.page(303, "back", [("Location", redirect + "?" + urlencode([*pairs.items(), ("code", pairs["code"])]))])
        return self.page(307 if "status_307" in self.flaws else 303, "back", [("Location", redirect + "?" + urlencode(pairs))])

    def login(self, method, form, query):
        if method == "GET":
            return self.page(200, "sign in")
        if not any(u["username"] == form.get("username") and u["password"] == form.get("password") for u in self.fixture["users"]):
            raise Refused(400, "wrong password")
        session = secrets.token_urlsafe(16)
        self.sessions[session] = form["username"]
        target = form.get("next") or dict(parse_qsl(query)).get("next", "/")
        if not re.match(r"/(?![/\\\s])[\x21-\x7e]*$", target) and "open_login" not in self.flaws:
            target = "/"
        return self.page(303, "signed in", [("Location", target), ("Set-Cookie", f"session={session}; Path=/; HttpOnly")])

    def consent(self, form, headers):
        ticket = self.tickets.get(form.get("ticket", ""))
        cookies = self.cookie(headers)
        if not ticket or "\0duplicates" in form and set(form["\0duplicates"].split()) - {"scope"}:
            raise Refused(400, "unknown ticket")
        if "no_csrf" not in self.flaws and (form.get("seal") != ticket["seal"] or dict(headers).get("origin", self.base) != self.base):
            raise Refused(400, "wrong seal")
        if "no_binding" not in self.flaws and (self.sessions.get(cookies.get("session", "")) != ticket["user"] or cookies.get("lockstep") != ticket["browser"]):
            raise Refused(400, "another browser")
        if form.get("decision") not in ("approve", "deny"):
            raise Refused(400, "no decision")
        redirect = form.get("redirect_uri", ticket["redirect_uri"]) if "consent_redirect" in self.flaws else ticket["redirect_uri"]
        if form["decision"] == "deny":
            return self.back(redirect, ticket.get("state"), error="access_denied")
        if "code" not in ticket:
            ticket["code"] = "c_" + secrets.token_urlsafe(24)
            self.codes[ticket["code"]] = {"ticket": ticket, "family": None, "spent": 0.0}
        return self.back(redirect, ticket.get("state"), code=ticket["code"])

    # -- the token endpoint -------------------------------------------------------------------------------------

    async def token(self, form):
        if form.pop("\0duplicates", ""):
            raise Refused(400, "invalid_request")
        client = self.client(form.get("client_id"))
        if "client_id" not in form:
            raise Refused(400, "invalid_request")
        if not client or client["token_endpoint_auth_method"] != "none":
            raise Refused(401, "invalid_client")
        if form.get("grant_type") == "authorization_code":
            return await self.redeem(form)
        if form.get("grant_type") == "refresh_token":
            return self.refresh(form)
        raise Refused(400, "unsupported_grant_type")

    async def redeem(self, form):
        code = self.codes.get(form.get("code", ""))
        if "code" not in form:
            raise Refused(400, "invalid_request")
        if not code or (code["ticket"]["client_id"] != form["client_id"] and "any_client" not in self.flaws):
            raise Refused(400, "invalid_grant")
        ticket, verifier = code["ticket"], form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        proven = "no_pkce" in self.flaws or (challenge == ticket["code_challenge"] and re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier))
        if not proven or form.get("redirect_uri", ticket["redirect_uri"]) != ticket["redirect_uri"]:
            if "spends_on_failure" in self.flaws:
                self.codes.pop(form["code"])
            raise Refused(400, "invalid_grant")
        if form.get("resource", ticket["resource"]) != ticket["resource"]:
            raise Refused(400, "invalid_target")
        if code["family"] is not None and "code_twice" not in self.flaws:
            if (time.monotonic() - code["spent"] > self.code_race or len(code["family"]["refresh"]) > 1) and "no_replay_revocation" not in self.flaws:
                code["family"]["revoked"] = True
            raise Refused(400, "invalid_grant")
        if "code_race" in self.flaws:
            await asyncio.sleep(0.05)  # check, wait, act: the classic race
        family = {"ticket": ticket, "refresh": [], "access": [], "rotated": 0.0, "revoked": False}
        code["family"], code["spent"] = family, time.monotonic()
        self.families.append(family)
        return self.issue(family)

    def issue(self, family):
        family["refresh"].append("r_" + secrets.token_urlsafe(24))
        family["access"].append("a_" + secrets.token_urlsafe(24))
        return self.said(family)

    def said(self, family):
        return self.json(200, {"access_token": family["access"][-1], "refresh_token": family["refresh"][-1], "token_type": "Bearer", "expires_in": 300, "scope": "notes:read"})

    def refresh(self, form):
        token = form.get("refresh_token", "")
        family = next((f for f in self.families if token in f["refresh"]), None)
        if not token:
            raise Refused(400, "invalid_request")
        if not family or family["revoked"] or family["ticket"]["client_id"] != form["client_id"]:
            raise Refused(400, "invalid_grant")
        if form.get("resource", family["ticket"]["resource"]) != family["ticket"]["resource"]:
            raise Refused(400, "invalid_target")
        age = len(family["refresh"]) - 1 - family["refresh"].index(token)
        if age == 0:
            family["rotated"] = time.monotonic()
            return self.issue(family)
        if "forks" in self.flaws:
            return self.issue(family)
        if age == 1 and time.monotonic() - family["rotated"] <= self.retry_window and "strict" not in self.flaws:
            return self.said(family)
        family["revoked"] = "no_reuse_revocation" not in self.flaws
        raise Refused(400, "invalid_grant")

    def revoke(self, form):
        for family in self.families:
            if form.get("token") in family["refresh"] + family["access"] and (family["ticket"]["client_id"] == form.get("client_id") or "revokes_foreign" in self.flaws):
                family["revoked"] = True
        return 200, JSON_HEADERS, b""

    # -- the resources ------------------------------------------------------------------------------------------

    def resource(self, path, method, headers, query, body):
        values = [v for k, v in headers if k == "authorization"]
        name = "mcp" if path == "/mcp" else "api"
        resource = self.fixture["resources"][name]["resource"].replace("{base}", self.base)
        where = f'resource_metadata="{self.base}/.well-known/oauth-protected-resource{urlsplit(resource).path}"'
        token = values[0].partition(" ")[2] if values else ""
        if "query_token" in self.flaws and not values:
            token = dict(parse_qsl(query)).get("access_token", "")
        if not values and not token:
            return self.json(401, {"error": "unauthorized"}, [("WWW-Authenticate", f'Bearer {where}, scope="notes:read"')])
        if len(values) > 1 or not re.fullmatch(r"[\w.~+/-]+=*", token):
            return self.json(400, {"error": "invalid_request"}, [("WWW-Authenticate", f'Bearer error="invalid_request", {where}')])
        family = next((f for f in self.families if token in f["access"]), None)
        if not family or family["revoked"] or (family["ticket"]["resource"] != resource and "any_audience" not in self.flaws):
            return self.json(401, {"error": "invalid_token"}, [("WWW-Authenticate", f'Bearer error="invalid_token", {where}')])
        return self.json(200, {"jsonrpc": "2.0", "id": 1, "result": {}})

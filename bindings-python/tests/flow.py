"""A client that goes through the flow over HTTP, and remembers every secret it has seen."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from lockstep_oauth import Client, Lockstep, Scope, SignIn, User

ORIGIN = "https://notes.example"
MCP = f"{ORIGIN}/mcp"
CALLBACK = "https://client.example/cb"


def current_user(request: Any) -> User | SignIn:
    name = request.cookies.get("session")
    return User(name, claims={"tier": "gold"}) if name else SignIn("/login")


def options(**changes: Any) -> dict[str, Any]:
    """A configuration that works."""
    return {
        "issuer": ORIGIN,
        "resource": MCP,
        "scopes": {
            "notes:read": Scope("Read your notes", default=True),
            "notes:write": Scope("Change your notes", optional=True),
        },
        "store": "memory:",
        "environment": {},
        "keys": RING,
        "sign_in": current_user,
        "clients": [Client("demo", [CALLBACK], client_name="Demo")],
        "registration": "open",
        **changes,
    }


def lockstep(**changes: Any) -> Lockstep:
    return Lockstep(**options(**changes))


def browser(app: Any, origin: str = ORIGIN) -> httpx.AsyncClient:
    """A user agent that keeps cookies and follows no redirect by itself."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("203.0.113.7", 4711)), base_url=origin)


@dataclass
class Flow:
    """One client, one user."""

    http: httpx.AsyncClient
    client_id: str = "demo"
    redirect_uri: str = CALLBACK
    resource: str | None = MCP
    issuer: str = ORIGIN
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    secrets: set[str] = field(default_factory=set)

    def query(self, scope: str | None = None, **changes: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        self.secrets.add(self.verifier)
        parameters = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "code_challenge": challenge, "code_challenge_method": "S256", "state": "xyz", **changes,
        }  # fmt: skip
        if scope is not None:
            parameters["scope"] = scope
        if self.resource is not None:
            parameters["resource"] = self.resource
        return urlencode(parameters)

    async def page(self, scope: str | None = None, **changes: str) -> httpx.Response:
        """Ask for consent as a signed-in user."""
        return await self.http.get(f"{self.issuer}/authorize?{self.query(scope, **changes)}")

    async def decide(self, page: httpx.Response, decision: str = "approve", scopes: list[str] | None = None) -> httpx.Response:
        """Press a button of the consent page."""
        assert page.status_code == 200, page.text
        fields = [(name, html.unescape(value)) for name, value in re.findall(r'type="?hidden"? name="?(\w+)"? value="([^"]*)"', page.text)]
        assert fields, page.text
        self.secrets.update(value for _, value in fields)
        offered = re.findall(r'name="?scope"? value="([^"]*)"', page.text)
        form = [*fields, *(("scope", scope) for scope in (offered if scopes is None else scopes)), ("decision", decision)]
        content = urlencode(form)
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}
        return await self.http.post(f"{self.issuer}/consent", content=content, headers=headers)

    async def code(self, scope: str | None = None, user: str = "alice", scopes: list[str] | None = None) -> str:
        self.http.cookies.set("session", user)
        answer = await self.decide(await self.page(scope), scopes=scopes)
        assert answer.status_code == 303, answer.text
        parameters = parse_qs(urlsplit(answer.headers["location"]).query)
        assert parameters["iss"] == [self.issuer] and parameters["state"] == ["xyz"]
        (code,) = parameters["code"]
        self.secrets.add(code)
        return code

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, "client_id": self.client_id, "code_verifier": self.verifier}
        return self._noted(await self.http.post(f"{self.issuer}/token", data={**form, **changes}))

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id}
        return self._noted(await self.http.post(f"{self.issuer}/token", data={**form, **changes}))

    async def tokens(self, scope: str | None = None, user: str = "alice", scopes: list[str] | None = None) -> dict[str, Any]:
        answer = await self.redeem(await self.code(scope, user, scopes))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _noted(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 200:
            self.secrets.update(answer.json()[name] for name in ("access_token", "refresh_token") if name in answer.json())
        return answer


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def challenge_of(answer: httpx.Response) -> dict[str, str]:
    """The parameters of a Bearer challenge."""
    header = answer.headers["www-authenticate"]
    assert header.startswith("Bearer"), header
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


def _ring() -> str:
    import os
    import time

    from lockstep_oauth._native import keys_generate

    return keys_generate(int(time.time()) - 3600, os.urandom(32))


RING = _ring()

"""What the tests share: a server's configuration, and a host to move its exchanges."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lockstep_oauth._native import Budget, Decision, Exchange, Server, SignInQuestion, keys_generate
from lockstep_oauth.drive import drive
from lockstep_oauth.errors import FetchError, OverBudgetError
from lockstep_oauth.stores import open_store
from lockstep_oauth.stores.memory import MemoryStore
from lockstep_oauth.types import User

ISSUER = "http://127.0.0.1:8787"
RESOURCE = f"{ISSUER}/mcp"
REDIRECT = "https://client.example/cb"
VERIFIER = "dBjftJeZ4CVP-mBw92K1uhwFGD8hKL3xFyfjxc9NhdU"  # 43 characters, made up
CONFIG: dict[str, Any] = {
    "issuer": ISSUER,
    "resources": [{"resource": RESOURCE, "name": "Notes"}],
    "scopes": [
        {"name": "notes:read", "description": "Read your notes"},
        {"name": "notes:write", "description": "Change your notes", "optional": True},
    ],
    "clients": [{"client_id": "demo", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}],
}


def make_server(**changes: Any) -> Server:
    return Server(json.dumps({**CONFIG, **changes}), keys_generate(int(time.time()) - 60, os.urandom(32)))


class NoFetcher:
    def fetch(self, request: Any, admit: Any) -> Any:
        raise FetchError("no network in this test") if admit() else OverBudgetError

    async def fetch_async(self, request: Any, admit: Any) -> Any:
        return self.fetch(request, admit)


@dataclass
class Host:
    """Alice is signed in, and agrees."""

    store: Any = field(default_factory=MemoryStore)
    fetcher: Any = field(default_factory=NoFetcher)
    budget: Budget = field(default_factory=Budget)
    questions: list[Any] = field(default_factory=list)

    def decide(self, question: Any) -> Any:
        self.questions.append(question)
        return Decision.approve(User("alice", claims={"role": "admin"})) if isinstance(question, SignInQuestion) else Decision.allow()


@pytest.fixture
def server() -> Server:
    return make_server()


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def headers(**named: str) -> list[tuple[bytes, bytes]]:
    pairs = {"host": "127.0.0.1:8787", "user-agent": "test", "accept": "*/*", **named}
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in pairs.items()]


def handle(server: Server, method: str, path: str, query: dict[str, str] | None = None, form: dict[str, str] | None = None, **named: str) -> Exchange:
    if form is not None:
        named["content_type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode() if form is not None else b""
    return server.handle(method, path, urlencode(query or {}).encode(), headers(**named), body, "192.0.2.1", int(time.time()), os.urandom(32))


def authorize(server: Server, client_id: str = "demo", **changes: str) -> Exchange:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code", "client_id": client_id, "redirect_uri": REDIRECT, "state": "s", "scope": "notes:read",
        "resource": RESOURCE, "code_challenge": challenge, "code_challenge_method": "S256", **changes,
    }  # fmt: skip
    return handle(server, "GET", "/authorize", query)


def code_of(answer: Any) -> str:
    location = dict(answer.response.headers)[b"location"].decode()
    return parse_qs(urlsplit(location).query)["code"][0]


def redeem(server: Server, code: str, client_id: str = "demo", **named: str) -> Exchange:
    form = {"grant_type": "authorization_code", "code": code, "client_id": client_id, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return handle(server, "POST", "/token", form=form, **named)


def refresh(server: Server, token: str, client_id: str = "demo") -> Exchange:
    return handle(server, "POST", "/token", form={"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id})


def check(server: Server, token: str, scopes: list[str] | None = None) -> Exchange:
    return server.check(headers(authorization=f"Bearer {token}"), b"", RESOURCE, scopes or ["notes:read"], "192.0.2.1", int(time.time()), os.urandom(32))


def tokens(server: Server, host: Any) -> dict[str, Any]:
    """Sign Alice in, and return the token response."""
    answer = drive(redeem(server, code_of(drive(authorize(server), host))), host)
    assert answer.response.status == 200, answer.response.body  # type: ignore[union-attr]
    return dict(json.loads(answer.response.body))  # type: ignore[union-attr]

@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each kind of store that we ship."""
    opened = open_store("memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/oauth.db")
    yield opened
    opened.close()

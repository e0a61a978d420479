"""What the tests share: a server's configuration, and a host to move its exchanges."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from lockstep_oauth._native import Budget, Decision, Server, SignInQuestion, keys_generate
from lockstep_oauth.errors import FetchError
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
    def fetch(self, request: Any) -> Any:
        raise FetchError("no network in this test")

    async def fetch_async(self, request: Any) -> Any:
        raise FetchError("no network in this test")


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

"""The worlds in which both hosts are asked the same: one configuration each, in the words of the Python host.

`host.mjs` reads the same JSON and only spells the names as JavaScript does (`per_hour` becomes `perHour`).
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blackbox.jose import Key  # noqa: E402

BEGIN = 1_800_000_000
LONG_AGO = 1_000_000_000
ISSUER = "https://as.example"
MCP, API = "https://mcp.example/mcp", "https://mcp.example/api"
RING_SEED = hashlib.sha256(b"the differential test's keys").digest()
# A public demo key (examples/python-fastapi-mcp/fixture.json): worthless outside of tests.
DEMO = json.loads((Path(__file__).resolve().parents[2] / "examples/python-fastapi-mcp/fixture.json").read_text())["clients"]["jwt"]
SIGNING_KEY = Key.from_jwk(DEMO["private_jwk"])

CLIENTS = [
    {"client_id": "web", "client_name": "Web <App> & Söhne", "redirect_uris": ["https://client.example/cb", "https://client.example/cb?fixed=1"]},
    {"client_id": "native", "client_name": "Native App", "redirect_uris": ["http://127.0.0.1/cb", "com.example.app:/cb"]},
    {"client_id": "confidential", "client_secret": "a secret of the test:client%2B+", "introspects": True, "redirect_uris": ["https://client.example/cb"]},
    {"client_id": "post", "client_secret": "another secret of the test client", "token_endpoint_auth_method": "client_secret_post", "redirect_uris": ["https://client.example/cb"]},
    {"client_id": "signing", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [SIGNING_KEY.jwk]}, "redirect_uris": ["https://client.example/cb"]},
    {"client_id": "gone", "disabled": True, "redirect_uris": ["https://client.example/cb"]},
]  # fmt: skip

DOCUMENT = "https://app.example/client.json"
# What other servers say, by URL: status, headers, body; or why there is no answer.
OTHERS: dict[str, Any] = {
    DOCUMENT: {
        "status": 200,
        "headers": [["Content-Type", "application/json"], ["Cache-Control", "max-age=600"], ["X-Odd", "é"]],
        "body": json.dumps({"client_id": DOCUMENT, "client_name": "Document App", "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"]}),
    },
    "https://down.example/client.json": {"failed": "no connection"},
    "https://broken.example/client.json": {"broken": "the fetcher itself broke"},
    "https://html.example/client.json": {"status": 200, "headers": [["Content-Type", "text/html"]], "body": "<h1>Hello</h1>"},
    "https://gone.example/client.json": {"status": 404, "headers": [], "body": ""},
}  # fmt: skip

COMMON: dict[str, Any] = {
    "resources": [{"resource": MCP, "name": "Notes", "aliases": ["https://mcp.example/mcp/"]}, {"resource": API, "scopes": ["notes:read", "notes:write"]}],
    "scopes": {
        "notes:read": {"description": "Read your notes"},
        "notes:write": {"description": "Change <your> notes", "default": False, "optional": True},
        "notes:all": {"description": "Everything", "default": False, "implies": ["notes:read", "notes:write"]},
        "offline_access": {"description": "Stay connected", "default": False, "optional": True},
    },
    "clients": CLIENTS,
    "documents": {"/.well-known/notes": {"name": "Nötes", "list": [1, 2.5, True, None], "nested": {"a": "b"}}},
}  # fmt: skip

TOOLS = {"add_note": "notes:write", "read_note": ["notes:read"], "everything": ["notes:read", "notes:write"], "__proto__": "notes:write", "Größe": "notes:write"}

# `seat` is where the Node host sits; the Python host sits in Starlette where the store waits, and is plain ASGI elsewhere.
WORLDS: dict[str, dict[str, Any]] = {
    "opaque": {"seat": "http", "waits": False, "options": {**COMMON, "issuer": ISSUER, "registration": {"mode": "open", "per_hour": 12}}},
    "jwt": {
        "seat": "express",
        "waits": True,
        "tools": TOOLS,
        "options": {
            **COMMON, "issuer": f"{ISSUER}/t1", "registration": {"mode": "guarded", "initial_access_tokens": ["an initial access token"]},
            "access_token_format": "jwt", "refresh": "offline_access", "unknown_scopes": "refuse", "several_resources": True,
            "login_url": "/login?from=here#top", "next_parameter": "back", "overlap_budget": 3, "service_documentation": "https://docs.example/",
            "client_documents": {"per_minute": 3},
        },
    },
    "web": {"seat": "web", "waits": False, "tools": TOOLS, "options": {**COMMON, "issuer": f"{ISSUER}/deep/path", "registration": {"per_hour": 40}, "retry_window_seconds": 0, "unknown_scopes": "refuse"}},
    "pasted": {"seat": "fastify", "waits": True, "tools": TOOLS, "options": {**COMMON, "issuer": ISSUER, "sign_in": "personal_token", "client_documents": False, "token_prefixes": {"personal": "pat_"}}},
}  # fmt: skip


def description(name: str) -> dict[str, Any]:
    """What a host is started with, as JSON."""
    from lockstep_oauth._native import keys_generate

    keys = keys_generate(LONG_AGO, RING_SEED, "ES256")
    return {"name": name, "keys": keys, "others": OTHERS, **WORLDS[name]}

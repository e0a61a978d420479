"""The requests of the flow. Both sides get the same bytes, except for the codes and tokens that they made themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

REDIRECT = "https://client.example/callback"
SCOPES = "notes:read notes:write"
FORM = (b"content-type", b"application/x-www-form-urlencoded")


@dataclass(slots=True)
class Request:
    """One request, for ASGI and for the wire."""

    method: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def scope(self) -> dict[str, object]:
        """Return a fresh ASGI scope, as uvicorn makes it."""
        headers = [(b"host", b"127.0.0.1:8787"), (b"user-agent", b"bench"), (b"accept", b"*/*"), *self.headers]
        if self.body:
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
            "method": self.method, "path": self.path, "raw_path": self.path.encode(), "query_string": self.query,
            "root_path": "", "headers": headers, "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 8787), "state": {},
        }  # fmt: skip

    def wire(self, host: str) -> bytes:
        """Return the bytes of an HTTP/1.1 request."""
        target = self.path.encode() + (b"?" + self.query if self.query else b"")
        lines = [self.method.encode() + b" " + target + b" HTTP/1.1", b"host: " + host.encode(), b"user-agent: bench", b"accept: */*"]
        lines += [name + b": " + value for name, value in self.headers]
        if self.body:
            lines.append(b"content-length: " + str(len(self.body)).encode())
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


@dataclass(slots=True)
class Response:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        """Return the first value of a header."""
        return next(value.decode("latin-1") for found, value in self.headers if found.lower() == name)

    def json(self) -> dict[str, object]:
        """Return the body's JSON."""
        return json.loads(self.body)

    def expect(self, *statuses: int) -> Response:
        """Neither side may be measured on its errors."""
        if self.status not in statuses:
            raise SystemExit(f"bench: expected {statuses}, got {self.status}: {self.headers} {self.body[:400]!r}")
        return self

    def code(self) -> str:
        """Return the code of an authorization response."""
        self.expect(302, 303)
        query = parse_qs(urlsplit(self.header(b"location")).query)
        if "code" not in query or query["state"] != ["the-state-of-the-client"]:
            raise SystemExit(f"bench: no code in {self.header(b'location')}")
        return query["code"][0]

    def tokens(self) -> tuple[str, str]:
        """Return access and refresh token of a token response."""
        answer = self.expect(200).json()
        if answer["token_type"] != "Bearer" or answer["scope"] != SCOPES:
            raise SystemExit(f"bench: not the tokens that were asked for: {sorted(answer)}")
        return str(answer["access_token"]), str(answer["refresh_token"])


class Flow:
    """Builds the requests of one client at one server."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.client_id = ""
        self.verifier = secrets.token_urlsafe(48)
        self.challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def register(self) -> Request:
        """Register a public client (RFC 7591)."""
        metadata = {
            "client_name": "Bench", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": SCOPES,
        }  # fmt: skip
        return Request("POST", "/register", headers=((b"content-type", b"application/json"),), body=json.dumps(metadata).encode())

    def authorize(self) -> Request:
        """Ask for a code."""
        query = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": REDIRECT, "scope": SCOPES,
            "state": "the-state-of-the-client", "code_challenge": self.challenge, "code_challenge_method": "S256",
            "resource": self.resource,
        }  # fmt: skip
        return Request("GET", "/authorize", urlencode(query, quote_via=quote).encode())

    def redeem(self, code: str) -> Request:
        """Redeem a code."""
        return self._form("/token", grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=self.verifier)

    def refresh(self, token: str) -> Request:
        """Refresh."""
        return self._form("/token", grant_type="refresh_token", refresh_token=token)

    def revoke(self, token: str, **extra: str) -> Request:
        """Revoke a refresh token."""
        return self._form("/revoke", token=token, token_type_hint="refresh_token", **extra)

    def bearer(self, token: str) -> Request:
        """Call the protected route."""
        return Request("GET", "/mcp", headers=((b"authorization", b"Bearer " + token.encode()),))

    def empty(self) -> Request:
        """Call the route that is not protected."""
        return Request("GET", "/empty")

    def metadata(self) -> Request:
        """Read the server's metadata (RFC 8414)."""
        return Request("GET", "/.well-known/oauth-authorization-server")

    def _form(self, path: str, **fields: str) -> Request:
        if path == "/token":
            fields["resource"] = self.resource
        return Request("POST", path, headers=(FORM,), body=urlencode({**fields, "client_id": self.client_id}).encode())

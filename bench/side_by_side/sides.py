"""The two sides, built in the way that their documentation shows."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .requests import SCOPES, Flow

App = Callable[[Any, Any, Any], Awaitable[None]]
_BODY = b'{"ok":true}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def empty(scope: Any, receive: Any, send: Any) -> None:
    """The route that does nothing: what a bearer check adds is measured against it."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


class Ours:
    """Lockstep over its memory store."""

    name = "lockstep"

    def __init__(self, origin: str, algorithm: str | None = None) -> None:
        from lockstep_oauth import Lockstep, Registration
        from lockstep_oauth._native import keys_generate
        from lockstep_oauth.types import Approve, User

        keys = keys_generate(int(time.time()) - 60, os.urandom(32))
        if algorithm is not None:
            from .keys import key_ring

            keys, self.public_key = key_ring(algorithm, keys)
        alice = Approve(User("alice"))

        async def sign_in(request: Any) -> Approve:
            return alice  # the SDK's route has no consent page either: the provider answers with a code at once

        self.flow = Flow(origin + "/mcp")
        self.auth = Lockstep(
            issuer=origin,
            resource=self.flow.resource,
            scopes={"notes:read": "Read your notes", "notes:write": "Change your notes"},
            keys=keys,
            store="memory:",
            sign_in=sign_in,
            registration=Registration("open", per_hour=1_000_000),
            access_token_format=None if algorithm is None else "jwt",
            access_seconds=3600,
        )

    def endpoints(self) -> App:
        """All endpoints, as a plain ASGI app."""
        return self.auth.asgi()

    def protected(self) -> App:
        """The empty route behind the bearer check."""
        return self.auth.protect(empty, scopes=SCOPES.split())

    def served(self) -> App:
        """What uvicorn serves: an app with one line of Lockstep. Starlette, since that is what the SDK's side runs in."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        app = Starlette()
        self.auth.install(app)
        app.router.routes += [Route("/mcp", self.protected()), Route("/empty", _Raw(empty))]
        return app


class Sdk:
    """The official SDK's authorization server routes over plain dictionaries."""

    name = "sdk"

    def __init__(self, origin: str) -> None:
        from mcp.server.auth.provider import ProviderTokenVerifier

        from .dictionary_provider import DictionaryProvider

        self.origin = origin
        self.flow = Flow(origin + "/mcp")
        self.provider = DictionaryProvider()
        self.verifier: Any = ProviderTokenVerifier(self.provider)

    def endpoints(self) -> App:
        """The SDK's routes in the Starlette app that it expects."""
        from starlette.applications import Starlette

        return Starlette(routes=self._routes())

    def protected(self) -> App:
        """The empty route behind the SDK's bearer middlewares, stacked as in its own streamable HTTP app."""
        from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
        from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
        from starlette.middleware.authentication import AuthenticationMiddleware

        required = RequireAuthMiddleware(empty, SCOPES.split())
        return AuthenticationMiddleware(AuthContextMiddleware(required), BearerAuthBackend(self.verifier))

    def served(self) -> App:
        """What uvicorn serves."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(routes=[*self._routes(), Route("/mcp", self.protected()), Route("/empty", _Raw(empty))])

    def _routes(self) -> list[Any]:
        from mcp.server.auth.routes import create_auth_routes
        from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
        from pydantic import AnyHttpUrl

        options = ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES.split(), default_scopes=SCOPES.split())
        return create_auth_routes(
            self.provider, AnyHttpUrl(self.origin), client_registration_options=options, revocation_options=RevocationOptions(enabled=True)
        )


class PyJwtVerifier:
    """A token verifier for the SDK as people write it, for JWT access tokens: PyJWT with the key at hand."""

    def __init__(self, key: Any, algorithm: str, issuer: str, audience: str) -> None:
        self._key, self._algorithm, self._issuer, self._audience = key, algorithm, issuer, audience

    async def verify_token(self, token: str) -> Any:
        """Verify one token."""
        import jwt
        from mcp.server.auth.provider import AccessToken

        try:
            claims = jwt.decode(token, self._key, algorithms=[self._algorithm], issuer=self._issuer, audience=self._audience)
        except jwt.InvalidTokenError:
            return None
        return AccessToken(
            token=token, client_id=claims["client_id"], scopes=claims["scope"].split(), expires_at=claims["exp"],
            resource=self._audience, subject=claims["sub"],
        )  # fmt: skip


class _Raw:
    """An ASGI app in a Starlette route: a function would be taken for a handler of requests."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

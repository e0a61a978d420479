"""The seat in FastMCP: a provider that serves every endpoint, checks tokens and turns a missing scope into a challenge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastmcp.server.auth.auth import AccessToken, AuthProvider
from pydantic import AnyHttpUrl, PrivateAttr
from starlette.middleware import Middleware
from starlette.routing import Route

from .asgi import Endpoints, Protected
from .mcp import access_token_fields

if TYPE_CHECKING:
    from .lockstep import Lockstep
    from .types import Identity

__all__ = ["LockstepProvider", "provider"]


class _Token(AccessToken):
    """FastMCP's access token, with the identity behind it."""

    _lockstep_identity: Any = PrivateAttr(default=None)

    @property
    def lockstep_identity(self) -> Identity | None:
        return self._lockstep_identity  # type: ignore[no-any-return]


class LockstepProvider(AuthProvider):
    """FastMCP's auth provider: ``FastMCP("notes", auth=auth.fastmcp())``."""

    def __init__(self, auth: Lockstep, resource: str, scopes: Sequence[str]) -> None:
        parts = urlsplit(resource)
        super().__init__(base_url=f"{parts.scheme}://{parts.netloc}", required_scopes=list(scopes))
        self._auth = auth
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token this is, or None when it does not fit this resource."""
        identity = await self._auth.check_token(token, self._resource)
        if identity is None:
            return None
        access = _Token(**access_token_fields(identity, token, self._auth.issuer))
        access._lockstep_identity = identity
        return access

    @property
    def scopes_supported(self) -> list[str]:
        """All scopes that are configured."""
        return list(self._auth.scopes)

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """Return a route for each endpoint and well-known document."""
        self.set_mcp_path(mcp_path)
        endpoints = Endpoints(self._auth)
        return [Route(path, endpoint=endpoints) for path in self._auth.native.paths()]

    def get_middleware(self) -> list[Any]:
        """Return FastMCP's own middleware, inside of what turns a missing scope into a challenge."""
        return [Middleware(self._step_up), *super().get_middleware()]

    def _step_up(self, app: Any) -> Any:
        guard = Protected(self._auth, app, self._resource, self.required_scopes, origins=None, step_up_only=True)

        async def only_the_mcp_endpoint(scope: Any, receive: Any, send: Any) -> None:
            path = scope.get("path", "").removeprefix(scope.get("root_path", "")).rstrip("/")
            ours = scope["type"] == "http" and path == (self._mcp_path or "").rstrip("/")
            await (guard if ours else app)(scope, receive, send)

        return only_the_mcp_endpoint

    def _get_resource_url(self, path: str | None = None) -> AnyHttpUrl | None:
        """Return the configured resource, wherever FastMCP thinks it is mounted."""
        return AnyHttpUrl(self._resource)


def provider(auth: Lockstep, resource: str, scopes: Sequence[str]) -> LockstepProvider:
    """Return the provider for a resource."""
    return LockstepProvider(auth, resource, scopes)

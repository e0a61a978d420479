"""The seat in the official MCP SDK: its servers keep their shape, and the tokens are ours."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from pydantic import PrivateAttr

from .context import current_identity
from .errors import ConfigurationError, InsufficientScope

if TYPE_CHECKING:
    from .asgi import App, Protected
    from .lockstep import Lockstep
    from .types import Identity

__all__ = ["LockstepAccessToken", "LockstepTokenVerifier", "McpSeat"]

F = TypeVar("F", bound=Callable[..., Any])


class LockstepAccessToken(AccessToken):
    """The SDK's access token, with the identity behind it."""

    _lockstep_identity: Any = PrivateAttr(default=None)

    @property
    def lockstep_identity(self) -> Identity | None:
        """Who is calling."""
        return self._lockstep_identity  # type: ignore[no-any-return]


def access_token_fields(identity: Identity, token: str, issuer: str) -> dict[str, Any]:
    """Return an identity in the SDK's words. The issuer and the subject bind the SDK's sessions to this user and client."""
    return {
        "token": token,
        "client_id": identity.client_id or identity.subject,
        "scopes": list(identity.scopes),
        "expires_at": identity.expires_at,
        "resource": identity.resource,
        "subject": identity.subject,
        "claims": {**identity.claims, "iss": issuer, "sub": identity.subject},
    }


class LockstepTokenVerifier:
    """The SDK's TokenVerifier for tokens of one resource."""

    def __init__(self, auth: Lockstep, resource: str) -> None:
        self._auth = auth
        self._resource = resource

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token this is, or None when it does not fit this resource."""
        identity = await self._auth.check_token(token, self._resource)
        if identity is None:
            return None
        access = LockstepAccessToken(**access_token_fields(identity, token, self._auth.issuer))
        access._lockstep_identity = identity
        return access


class _SdkUser(AuthenticatedUser):
    """The caller in the SDK's words, worked out when somebody looks."""

    def __init__(self, identity: Identity, issuer: str) -> None:
        self.username = identity.client_id
        self.scopes = list(identity.scopes)
        self._identity = identity
        self._issuer = issuer

    @functools.cached_property
    def access_token(self) -> AccessToken:  # type: ignore[override]
        """The SDK's view of the token. Its text stays with the guard: a tool has no use for it."""
        access = LockstepAccessToken(**access_token_fields(self._identity, "", self._issuer))
        access._lockstep_identity = self._identity
        return access


def sdk_user(identity: Identity, issuer: str) -> AuthenticatedUser:
    """Return the SDK's user for an identity that the guard has checked."""
    return _SdkUser(identity, issuer)


class McpSeat:
    """What a server of the official MCP SDK needs of us."""

    def __init__(self, auth: Lockstep) -> None:
        self._auth = auth

    def token_verifier(self, *, resource: str | None = None) -> LockstepTokenVerifier:
        """Return the verifier: ``MCPServer("notes", token_verifier=auth.mcp.token_verifier(), auth=auth.mcp.auth_settings())``."""
        return LockstepTokenVerifier(self._auth, self._auth.resource_named(resource, "token_verifier"))

    def auth_settings(self, *, resource: str | None = None, scopes: Sequence[str] = ()) -> AuthSettings:
        """Return the SDK's settings. `scopes` are what every request needs."""
        known = self._auth.known_scopes(scopes, "auth_settings")
        return AuthSettings(
            issuer_url=self._auth.issuer,  # type: ignore[arg-type]
            resource_server_url=self._auth.resource_named(resource, "auth_settings"),  # type: ignore[arg-type]
            required_scopes=known or None,
            validate_token_resource=True,
        )

    def tool_scopes(self, tools: Mapping[str, str | Sequence[str]]) -> None:
        """Say which scopes a call of each tool needs, by the tool's name.

        The guard (``auth.protect``, ``auth.mcp.step_up``) reads which tool is called and answers 403 with a challenge
        before the tool runs. The names hold for every MCP server behind this Lockstep. What one tool calls on its own
        is not seen here: `requires` is, wherever the call comes from.
        """
        for tool, scopes in tools.items():
            wanted = [scopes] if isinstance(scopes, str) else list(scopes)
            known = self._auth.known_scopes(wanted, f'tool_scopes({tool!r})')
            self._auth.tool_scopes[tool] = tuple(dict.fromkeys((*self._auth.tool_scopes.get(tool, ()), *known)))

    def requires(self, *scopes: str, tool: str | None = None) -> Callable[[F], F]:
        """Declare what a tool needs, below the SDK's decorator, and check it again when it runs.

        ``@mcp.tool()`` above ``@auth.mcp.requires("notes:write")``. Name the tool where its name is not the function's.
        """
        if not scopes:
            raise ConfigurationError("requires", 'name at least one scope: @auth.mcp.requires("notes:write")')
        self._auth.known_scopes(scopes, "requires")

        def declare(function: F) -> F:
            self.tool_scopes({tool or function.__name__: scopes})
            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def checked_async(*args: Any, **kwargs: Any) -> Any:
                    self._demand(scopes)
                    return await function(*args, **kwargs)

                return checked_async  # type: ignore[return-value]

            @functools.wraps(function)
            def checked(*args: Any, **kwargs: Any) -> Any:
                self._demand(scopes)
                return function(*args, **kwargs)

            return checked  # type: ignore[return-value]

        return declare

    def step_up(self, app: App, *, resource: str | None = None, scopes: Sequence[str] = ()) -> Protected:
        """Wrap an SDK server's app whose own middleware checks tokens, so that a missing scope becomes a real 403 challenge."""
        from .asgi import Protected

        resource = self._auth.resource_named(resource, "step_up")
        return Protected(self._auth, app, resource, self._auth.known_scopes(scopes, "step_up"), origins=None, step_up_only=True)

    def _demand(self, scopes: Sequence[str]) -> None:
        identity = current_identity()
        if identity is None or not self._auth.covers(identity, scopes):
            raise InsufficientScope(*scopes)

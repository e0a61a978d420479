"""FastAPI: the same dependency, known to the OpenAPI document, so that its page has a working Authorize button."""

# No `from __future__ import annotations`: FastAPI reads the annotations of `Required.__call__`.
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.security.base import SecurityBase

from . import starlette

if TYPE_CHECKING:
    from .lockstep import Lockstep

__all__ = ["Required"]


class Required(starlette.Required, SecurityBase):
    """``Depends(auth.require("notes:read"))``: yields the Identity of a request whose token has all of the scopes."""

    def __init__(self, auth: "Lockstep", scopes: Sequence[str], resource: str, ways: Sequence[tuple[str, Callable[..., Any]]] = ()) -> None:
        super().__init__(auth, scopes, resource, ways)
        issuer = auth.issuer.rstrip("/")
        flow = OAuthFlowAuthorizationCode(
            authorizationUrl=f"{issuer}/authorize", tokenUrl=f"{issuer}/token", refreshUrl=f"{issuer}/token", scopes=dict(auth.scopes)
        )
        self.model = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        self.scheme_name = "OAuth"

"""Who is calling, while a protected handler or tool runs."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .types import Identity

__all__ = ["Call", "call", "current_identity", "note_missing_scopes"]


class Call:
    """One protected request: who makes it, and which scopes a handler found missing."""

    missing: tuple[str, ...] | None = None

    def __init__(self, identity: Identity | None) -> None:
        self.identity = identity


call: ContextVar[Call | None] = ContextVar("lockstep_oauth_call", default=None)
"""The call that the running handler or tool serves."""

SDK_CONTEXT = "mcp.server.auth.middleware.auth_context"


def current_identity() -> Identity | None:
    """Return who is calling; None outside of a protected handler or tool.

    Works in handlers behind ``auth.protect`` and ``auth.require``, and in tools of the official MCP SDK and of FastMCP,
    also where the SDK checked the token with ``auth.mcp.token_verifier()`` or ``auth.fastmcp()``.
    """
    current = call.get()
    if current is not None and current.identity is not None:
        return current.identity
    sdk = sys.modules.get(SDK_CONTEXT)
    if sdk is None:
        return None
    return getattr(sdk.get_access_token(), "lockstep_identity", None)


def note_missing_scopes(scopes: tuple[str, ...]) -> None:
    """Remember what was missing.

    Frameworks between the handler and the wire turn exceptions into answers of their own (the MCP SDK into a JSON-RPC
    result with status 200), so the exception may never arrive. The wrapper looks here when an error goes out.
    """
    current = call.get()
    if current is not None:
        current.missing = scopes

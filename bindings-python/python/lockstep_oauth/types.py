"""The values that a host gives and gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._native import AuditEvent, GrantSummary, Identity, Refusal
from .errors import MisuseError

__all__ = [
    "Approve",
    "AuditEvent",
    "Deny",
    "GrantSummary",
    "Identity",
    "Refusal",
    "SignIn",
    "User",
]


@dataclass(frozen=True, slots=True)
class User:
    """A person, as the host knows them."""

    subject: str
    """A stable identifier, unique at this issuer: 1 to 255 bytes."""
    name: str = ""
    """What to call them on the consent page; the subject when empty."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims, as JSON values, that ride along to handlers and introspection."""

    def __post_init__(self) -> None:
        if not isinstance(self.subject, str):
            raise MisuseError("User", f"the subject is a text, not {self.subject!r}; write User(str(...))")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Nobody is signed in: send the browser to ``location`` (a URL, or a path at the same origin)."""

    location: str


@dataclass(frozen=True, slots=True)
class Approve:
    """The host asked the user itself, and they agreed to ``scopes`` (all that were asked for when None)."""

    user: User
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """The user said no."""

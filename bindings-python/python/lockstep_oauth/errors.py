"""What can be raised at a host. A peer that is wrong is never an exception: it is a ready response (a refusal)."""

from __future__ import annotations

from .context import note_missing_scopes

__all__ = [
    "ConfigurationError",
    "FetchError",
    "InsufficientScope",
    "LockstepError",
    "MisuseError",
    "OverBudgetError",
    "StoreError",
    "Undecided",
]


class LockstepError(Exception):
    """The base of every exception of this package."""


class _Placed(LockstepError):
    def __init__(self, at: str, message: str) -> None:
        super().__init__(f"{at}: {message}" if at else message)
        self.message = message


class ConfigurationError(_Placed):
    """The configuration cannot work: ``field`` names the place (``resources[0].name``), ``message`` the fix."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field


class MisuseError(_Placed):
    """The host called wrongly; whatever it called is as it was. ``at`` names the call, ``message`` the fix."""

    def __init__(self, at: str, message: str) -> None:
        super().__init__(at, message)
        self.at = at


class StoreError(LockstepError):
    """A store could not be read. The request is answered 503, and nothing has been written."""


class FetchError(LockstepError):
    """Another server gave no usable answer. ``reason`` is for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OverBudgetError(FetchError):
    """Nothing was sent: the budget for fetches of that sort is spent."""

    def __init__(self) -> None:
        super().__init__("the budget is spent")


class Undecided(LockstepError):
    """Raise it where a decision is asked for and cannot be made: the request is answered 503, and nothing is logged."""


class InsufficientScope(LockstepError):
    """Raise it inside a protected handler or tool: the client is asked to step up to ``scopes`` (403 with a challenge)."""

    def __init__(self, *scopes: str) -> None:
        super().__init__("needs " + " ".join(scopes))
        self.scopes = scopes
        note_missing_scopes(scopes)

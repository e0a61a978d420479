"""What happened, for the operator: one line of JSON an event, and a hook.

Every exchange tells events with a stable id (``token.refreshed``, or the id of a refusal: see ``lockstep_oauth.explain``).
They never hold a token, code, secret or verifier.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import ConfigurationError

if TYPE_CHECKING:
    from ._native import Answer, Operated
    from .types import AuditEvent

    Told = Answer | Operated

__all__ = ["AuditTrail", "logger"]

logger = logging.getLogger("lockstep_oauth.audit")
"""One line of JSON for each event, at level INFO."""

_own_logger = logging.getLogger("lockstep_oauth")


class AuditTrail:
    """Where the events of every exchange go."""

    __slots__ = ("_hook",)

    def __init__(self, hook: Callable[[AuditEvent], object] | None) -> None:
        if hook is not None and (not callable(hook) or inspect.iscoroutinefunction(hook)):
            raise ConfigurationError("on_event", f"a plain function of one event, not {hook!r}; let it put the event into a queue of yours")
        self._hook = hook

    def tell(self, told: Told) -> None:
        """Log each event and hand it to the hook. A hook that raises is logged and never breaks a request."""
        logged = logger.isEnabledFor(logging.INFO)
        if not logged and self._hook is None:
            return
        for event in told.events:
            if logged:
                logger.info(event.to_json())
            if self._hook is not None:
                try:
                    self._hook(event)
                except Exception:
                    _own_logger.exception("on_event raised for %s; the request goes on", event.id)

"""OAuth 2.1 for MCP servers and APIs: see ``Lockstep``. Names are imported when they are first used."""

from __future__ import annotations

# `typing` and `importlib` take longer to import than all of this module, so they are not.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._native import explain as explain
    from ._native import refusals as refusals
    from .configuration import Client as Client
    from .configuration import ClientDocuments as ClientDocuments
    from .configuration import Document as Document
    from .configuration import ExternalToken as ExternalToken
    from .configuration import Registration as Registration
    from .configuration import Resource as Resource
    from .configuration import Scope as Scope
    from .context import current_identity as current_identity
    from .errors import ConfigurationError as ConfigurationError
    from .errors import InsufficientScope as InsufficientScope
    from .errors import LockstepError as LockstepError
    from .errors import MisuseError as MisuseError
    from .errors import StoreError as StoreError
    from .lockstep import IssuedToken as IssuedToken
    from .lockstep import Lockstep as Lockstep
    from .stores import MemoryStore as MemoryStore
    from .stores import SQLiteStore as SQLiteStore
    from .types import Approve as Approve
    from .types import AuditEvent as AuditEvent
    from .types import Deny as Deny
    from .types import GrantSummary as GrantSummary
    from .types import Identity as Identity
    from .types import Refusal as Refusal
    from .types import SignIn as SignIn
    from .types import User as User

_HOMES = {
    "Approve": "types",
    "AuditEvent": "types",
    "Client": "configuration",
    "ClientDocuments": "configuration",
    "ConfigurationError": "errors",
    "Deny": "types",
    "Document": "configuration",
    "ExternalToken": "configuration",
    "GrantSummary": "types",
    "Identity": "types",
    "InsufficientScope": "errors",
    "IssuedToken": "lockstep",
    "Lockstep": "lockstep",
    "LockstepError": "errors",
    "MemoryStore": "stores",
    "MisuseError": "errors",
    "Refusal": "types",
    "Registration": "configuration",
    "Resource": "configuration",
    "SQLiteStore": "stores",
    "Scope": "configuration",
    "SignIn": "types",
    "StoreError": "errors",
    "User": "types",
    "current_identity": "context",
    "explain": "_native",
    "refusals": "_native",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{home}", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

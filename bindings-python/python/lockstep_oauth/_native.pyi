"""The Rust core. Private: the modules around it are the interface."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, final

from .types import User

Header: TypeAlias = tuple[bytes, bytes]
Outcome: TypeAlias = Answer | Allowed | Operated
Question: TypeAlias = SignInQuestion | ConsentQuestion | RefreshQuestion | TokenQuestion | AdmitQuestion
Step: TypeAlias = Load | Commit | Fetch | Decide | Done

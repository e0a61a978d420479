"""The public surface against `conformance/surface.json`, both ways: nothing is missing, and nothing is there that it does not name."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from flow import lockstep

import lockstep_oauth
from lockstep_oauth import Lockstep, _native, errors, mcp, stores

SURFACE = json.loads((Path(__file__).parents[2] / "conformance" / "surface.json").read_text())
SURFACE.pop("about")
INNER = {"audit", "budget", "callables", "check", "fetcher", "finish_check", "in_line", "known_scopes", "native", "resource_named", "tool_scopes"}
"""What modules of the package itself use of a Lockstep, and no documentation names."""


def named(group: str) -> set[str]:
    """The names that this language has, by the file."""
    return {entry if isinstance(entry, str) else entry.get("python", entry["name"]) for entry in SURFACE[group] if isinstance(entry, str) or entry.get("only", "python") == "python"}


def public(of: object) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


def found(group: str) -> set[str]:
    """The names that are really there."""
    if group == "exports":
        return set(lockstep_oauth.__all__)
    if group == "errors":
        return set(errors.__all__)
    if group == "stores":
        return set(stores.__all__)
    if group == "options":
        return parameters(Lockstep.__init__) - {"unknown"}
    if group == "Lockstep":
        return public(lockstep()) - INNER
    if group == "McpSeat":
        return public(mcp.McpSeat)
    if group == "Store":
        return public(stores.Store)
    if hasattr(Lockstep, group):
        return parameters(getattr(Lockstep, group))
    kind = getattr(lockstep_oauth, group, None) or getattr(_native, group)
    return {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else public(kind)


@pytest.mark.parametrize("group", sorted(SURFACE))
def test_the_surface_is_what_the_file_says(group: str) -> None:
    assert found(group) == named(group)


def test_one_language_alone_needs_a_reason() -> None:
    for group, entries in SURFACE.items():
        names = [entry if isinstance(entry, str) else entry["name"] for entry in entries]
        assert len(set(names)) == len(names), group
        for entry in entries:
            if not isinstance(entry, str):
                assert set(entry) <= {"name", "python", "node", "only", "why"}, entry
                assert entry.get("only") in (None, "python", "node") and ("only" in entry) == bool(entry.get("why")), entry


def test_what_is_inner_is_really_there() -> None:
    assert public(lockstep()) >= INNER

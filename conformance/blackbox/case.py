"""A case is a sentence, an id from the attack catalogue and an async function that raises `Failed` when the server is wrong."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

GROUPS = "ARPCFKMDITHUV"


class Failed(Exception):
    """The server's answer is not the one that the catalogue demands."""

    def __init__(self, expected: str, observed: str) -> None:
        super().__init__(f"expected {expected}; observed {observed}")
        self.expected = expected
        self.observed = observed


class NotApplicable(Exception):
    """The case cannot be asked of this server; the argument says why."""


@dataclass(frozen=True)
class Case:
    id: str
    title: str
    run: Callable[..., Awaitable[str | None]]
    gate: int = 0
    alone: bool = False  # after the concurrent cases, one at a time: it floods, or ends other sessions
    group: str = ""

    @property
    def order(self) -> tuple:
        letter, number, rest = re.fullmatch(r"([A-Z]+)-(\d+)(.*)", self.id).groups()
        return (GROUPS.find(letter) if letter in GROUPS else 99, int(number), rest)


REGISTRY: dict[str, Case] = {}


def case(id: str, title: str, *, gate: int = 0, alone: bool = False):
    """Registers the decorated `async def run(s: Suite)`; what it returns (if anything) is shown as observed."""

    def register(run):
        if id in REGISTRY:
            raise ValueError(f"two cases named {id}")
        REGISTRY[id] = Case(id, title, run, gate, alone, id.split("-")[0])
        return run

    return register


def row(id: str, title: str, run, *args, gate: int = 0, alone: bool = False) -> None:
    """Registers one row of a table: `run(s, *args)`."""

    async def bound(s):
        return await run(s, *args)

    case(id, title, gate=gate, alone=alone)(bound)


def not_applicable(id: str, title: str, why: str) -> None:
    """Registers a catalogue row that no black-box suite can ask, so that the report says so."""

    async def skip(_s):
        raise NotApplicable(why)

    case(id, title)(skip)


def check(holds: object, expected: str, observed: object) -> None:
    if not holds:
        raise Failed(expected, str(observed))


def selected(id: str, wanted: str) -> bool:
    """`C-03` selects C-03 and its variants (C-03a, C-03.2), but not C-030."""
    return id == wanted or (id.startswith(wanted) and not id[len(wanted)].isdigit())

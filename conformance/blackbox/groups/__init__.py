"""One file a group of the attack catalogue."""

import importlib

NAMES = ("a", "r", "p", "c", "f", "k", "m", "d", "i", "t", "h", "u", "v", "any_answer")


def load() -> None:
    for name in NAMES:
        importlib.import_module(f"{__name__}.{name}")

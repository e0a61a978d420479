"""Starts the two hosts with one world each."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire import send

HERE = Path(__file__).resolve().parent


@dataclass
class Host:
    name: str
    port: int

    def report(self) -> dict[str, Any]:
        """What it has seen, stored and reported."""
        answer = send(self.port, b"GET /differential HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET")
        assert answer is not None
        told: dict[str, Any] = json.loads(answer.body)
        return told


@contextlib.contextmanager
def started(name: str, command: list[str], world: dict[str, Any], directory: Path) -> Iterator[Host]:
    """One host, ready to answer; stopped at the end, whatever happens in between."""
    file, log = directory / f"{name}.json", directory / f"{name}.log"
    file.write_text(json.dumps(world))
    with log.open("wb") as errors:
        process = subprocess.Popen([*command, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {name} host did not start:\n{log.read_text(errors='replace')[-3000:]}")
        yield Host(name, int(line))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def both(node: str, python_world: dict[str, Any], node_world: dict[str, Any] | None = None) -> Iterator[list[Host]]:
    """The Python host and the Node host, in this order."""
    with tempfile.TemporaryDirectory(prefix="lockstep-differential-") as directory, contextlib.ExitStack() as running:
        places = [("Python", [sys.executable, str(HERE / "host.py")], python_world), ("Node", [node, str(HERE / "host.mjs")], node_world or python_world)]
        yield [running.enter_context(started(name, command, world, Path(directory))) for name, command, world in places]

"""What it costs to have it: import, memory, the wheel, and what a grant takes on disk."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 20
FIRST = {"the same in an app that has FastAPI": "import fastapi"}
PROBE = """
import os, sys, time
{first}
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before, at = rss(), time.process_time_ns()
{statement}
print((time.process_time_ns() - at) / 1e6, (rss() - before) / 1e6)
"""
STATEMENTS = {
    "import lockstep_oauth": "import lockstep_oauth",
    "from lockstep_oauth import Lockstep": "from lockstep_oauth import Lockstep",
    "the same in an app that has FastAPI": "from lockstep_oauth import Lockstep",
    "the official SDK's routes": "import mcp.server.auth.routes",
    "cryptography's Rust module": "import cryptography.hazmat.bindings._rust",
}


def imports() -> dict[str, tuple[float, float]]:
    """Return CPU milliseconds and added megabytes for each statement: medians over fresh processes that alternate."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in STATEMENTS}
    for turn in range(RUNS + 1):
        for name, statement in STATEMENTS.items():
            heavy = "mcp." in statement or name in FIRST
            if heavy and turn > RUNS // 4:
                continue
            answer = subprocess.run([sys.executable, "-c", PROBE.format(first=FIRST.get(name, ""), statement=statement)], capture_output=True, check=True, text=True)
            if turn > 0:  # the first run writes the bytecode
                ms, mb = map(float, answer.stdout.split())
                found[name].append((ms, mb))
    return {name: (statistics.median(ms for ms, _ in runs), statistics.median(mb for _, mb in runs)) for name, runs in found.items()}


async def grants(count: int) -> dict[str, float]:
    """Issue grants through the flow into SQLite; return bytes of its files per grant."""
    from lockstep_oauth import Client, Lockstep
    from lockstep_oauth._native import keys_generate
    from lockstep_oauth.types import Approve, User

    from .in_process import ORIGIN, run
    from .requests import REDIRECT, Flow

    people = iter(range(count))

    async def sign_in(request: object) -> Approve:
        return Approve(User(f"user-{next(people):06}"))

    # In memory when there is a place for that: the size is the same, and a disk that syncs slowly costs minutes.
    home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=home) as directory:
        path = Path(directory, "oauth.db")
        auth = Lockstep(
            issuer=ORIGIN, resource=ORIGIN + "/mcp", scopes={"notes:read": "Read your notes", "notes:write": "Change your notes"},
            keys=keys_generate(int(time.time()) - 60, os.urandom(32)), store=f"sqlite:///{path}", sign_in=sign_in,
            clients=[Client("bench", [REDIRECT])],
        )  # fmt: skip
        app, flow = auth.asgi(), Flow(ORIGIN + "/mcp")
        flow.client_id = "bench"
        for _ in range(0, count, 500):
            _, answers = await run(app, [flow.authorize() for _ in range(500)])
            _, answers = await run(app, [flow.redeem(answer.code()) for answer in answers])
            for answer in answers:
                answer.tokens()
        auth.store.close()
        size = sum(file.stat().st_size for file in Path(directory).iterdir())
    return {"bytes per grant": size / count}


def wheel() -> float | None:
    """Return the wheel's size in megabytes."""
    wheels = sorted(Path(__file__).parents[2].glob(".build/wheels/lockstep_oauth-*.whl"), key=lambda path: path.stat().st_mtime)
    return wheels[-1].stat().st_size / 1e6 if wheels else None


def main() -> None:
    """Print one line of JSON."""
    print(json.dumps({"imports": imports(), "wheel": wheel(), **asyncio.run(grants(10_000))}))


if __name__ == "__main__":
    main()

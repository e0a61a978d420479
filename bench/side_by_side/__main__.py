"""Measure everything and print one table: ``python -m side_by_side [--write]``."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import loopback
from .serve import LOOPS

ROUNDS, COUNT = 15, 200
RESULTS = Path(__file__).parents[1] / "results" / "latest.md"


class Table:
    """Rows of what was measured, with a verdict where there is a target."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.missed: list[str] = []

    def section(self, title: str, *columns: str) -> None:
        """Begin a part."""
        self.lines += ["", f"### {title}", "", "| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 2) + "---|"]

    def row(self, name: str, *cells: str, met: bool | None = None, target: str = "") -> None:
        """Add a row; `met` decides the verdict."""
        verdict = "" if met is None else ("met" if met else "NOT MET") + f" ({target})"
        if met is False:
            self.missed.append(f"{self.lines_title()}: {name}")
        self.lines.append("| " + " | ".join([name, *cells, verdict]) + " |")

    def lines_title(self) -> str:
        """Return the part that is being written."""
        return next(line[4:] for line in reversed(self.lines) if line.startswith("### "))


class Worker:
    """One side in a process of its own."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "side_by_side.in_process", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **command: Any) -> Any:
        """Send a command and wait for its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench: a side ended early; its message is above")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def in_process() -> tuple[dict[str, float], dict[str, float]]:
    """Return CPU microseconds of each kind of request, ours and the SDK's: medians over rounds that take turns."""
    ours, sdk = Worker("lockstep"), Worker("sdk")
    try:
        sdk.ask(tokens=ours.ask(tokens=None))
        spent: dict[int, dict[str, list[float]]] = {0: defaultdict(list), 1: defaultdict(list)}
        for turn in range(ROUNDS + 2):
            for index, worker in ((0, ours), (1, sdk)) if turn % 2 else ((1, sdk), (0, ours)):
                found = worker.ask(count=COUNT)
                if turn >= 2:  # warm by then
                    for kind, value in found.items():
                        spent[index][kind].append(value)
    finally:
        ours.close()
        sdk.close()
    medians = [{kind: statistics.median(values) for kind, values in spent[index].items()} for index in (0, 1)]
    return medians[0], medians[1]


def child(module: str) -> Any:
    """Run a measurement in a fresh process."""
    answer = subprocess.run([sys.executable, "-m", f"side_by_side.{module}"], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(answer.stdout)


def report(table: Table) -> None:
    """Measure, part by part."""
    say("in process")
    ours, sdk = in_process()
    table.section("In process, CPU µs per request", "", "Lockstep", "SDK", "SDK / Lockstep", "target")
    for kind, part in (("redeem", 5), ("refresh", 5), ("authorize", 3)):
        ratio = sdk[kind] / ours[kind]
        table.row(kind, f"{ours[kind]:.1f}", f"{sdk[kind]:.1f}", f"{ratio:.1f}×", met=ratio >= part, target=f"at most 1/{part}")
    added = {side: {kind: value - spent["empty"] for kind, value in spent.items() if kind.startswith("bearer")} for side, spent in (("o", ours), ("s", sdk))}
    names = {"bearer": "bearer check, opaque: added to an empty route"}
    for kind, value in added["o"].items():
        peer = added["s"].get(kind)
        name = names.get(kind, f"{kind.replace('bearer', 'bearer check, JWT')} (SDK: with PyJWT): added")
        verdict: dict[str, Any] = {"met": value <= 8, "target": "at most 8 µs"} if kind == "bearer" else {}
        table.row(name, f"{value:.1f}", f"{peer:.1f}" if peer else "", f"{peer / value:.1f}×" if peer else "", **verdict)
    table.row("empty ASGI route", f"{ours['empty']:.1f}", f"{sdk['empty']:.1f}", "")

    say("signatures")
    found = child("signatures")
    table.section("Signature checks, CPU µs", "", "Lockstep's whole check", "`cryptography`, signature alone", "direct / Lockstep", "target")
    for algorithm, times in found.items():
        name = algorithm + (" (in a client assertion: what it adds)" if algorithm == "RS256" else " access token")
        ratio = times["direct"] / times["ours"]
        # Where the signature dominates, the whole check must beat it; RS256 verifies in 20 µs, and the rest is not nothing.
        verdict = {} if algorithm == "RS256" else {"met": ratio >= 1, "target": "no slower than the signature alone"}
        table.row(name, f"{times['ours']:.1f}", f"{times['direct']:.1f}", f"{ratio:.2f}×", **verdict)

    say("over loopback")
    for loop, sides in loopback.measure().items():
        title = f"Over loopback, uvicorn with {' and '.join(LOOPS[loop])}"
        table.section(title, "", "Lockstep µs", "SDK µs", "SDK / Lockstep", "Lockstep req/s", "SDK req/s", "Lockstep / SDK", "target")
        # The same code on both sides: where even this differs, something else kept one of the two busy.
        control = sides["sdk"][loopback.CONTROL][1] / sides["lockstep"][loopback.CONTROL][1]
        steady = 0.87 < control < 1.15
        for kind in loopback.KINDS:
            (rate, spent), (peer_rate, peer_spent) = sides["lockstep"][kind], sides["sdk"][kind]
            verdict = {"met": peer_spent >= spent, "target": "ahead in CPU"} if kind != loopback.CONTROL and steady else {}
            table.row(
                kind, f"{spent:.0f}", f"{peer_spent:.0f}", f"{peer_spent / spent:.2f}×", f"{rate:.0f}", f"{peer_rate:.0f}",
                f"{rate / peer_rate:.2f}×", **verdict,
            )  # fmt: skip
        if not steady:
            table.missed.append(f"{title}: no verdict, the machine was too busy (the empty route differs {control:.2f}×); run it again")

    say("footprint")
    found = child("footprint")
    table.section("Footprint", "", "import, CPU ms", "memory added, MB", "target")
    for name, (ms, mb) in found["imports"].items():
        ours_here = "lockstep" in name or "the same" in name
        table.row(name, f"{ms:.1f}", f"{mb:.1f}", **({"met": ms <= 30 and mb <= 15, "target": "30 ms, 15 MB"} if ours_here else {}))
    table.section("Size", "", "", "target")
    if found["wheel"] is not None:
        table.row("wheel", f"{found['wheel']:.2f} MB", met=found["wheel"] < 6, target="under 6 MB")
    size = found["bytes per grant"]
    table.row("SQLite file for 10,000 grants, per grant", f"{size:.0f} bytes", met=size <= 1024, target="at most 1 KB")


def say(what: str) -> None:
    """Tell progress, beside the table."""
    print(f"bench: {what} ...", file=sys.stderr, flush=True)


def cpu_name() -> str:
    """Return the processor's name."""
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="also write bench/results/latest.md")
    write = parser.parse_args().write
    begun = time.monotonic()
    table = Table()
    report(table)
    packages = ", ".join(f"{name} {version(name)}" for name in ("lockstep-oauth", "mcp", "starlette", "uvicorn", "uvloop", "cryptography"))
    head = [
        "# Side by side",
        "",
        f"Python {platform.python_version()}, {packages}; {cpu_name()}; {time.monotonic() - begun:.0f} s.",
        "Trust the ratios, not the figures: both sides ran in turns in this one run. How to read it: bench/README.md.",
    ]
    verdict = ["", "Every target met." if not table.missed else "Targets not met:", *(f"- {name}" for name in table.missed)]
    text = "\n".join([*head, *table.lines, *verdict]) + "\n"
    print(text)
    if write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()

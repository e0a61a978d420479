"""Runs the attack suite against an example server, in each world that changes an answer.

    python conformance/run_blackbox.py [--host node] [WORLD ...]      worlds: opaque path jwt strict budgets; all of them by default
"""

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from serving import HOSTS, ROOT, Served, example, stop_on_sigterm  # noqa: E402

FIXTURE = ROOT / "examples" / "python-fastapi-mcp" / "fixture.json"
REPORTS = ROOT / ".build" / "blackbox"
SHORT = {"EXAMPLE_CODE_RACE": "2", "EXAMPLE_RETRY_WINDOW": "3"}
ROOMY = {"EXAMPLE_BUDGET": "100000"}
WINDOWS = ["--code-race", "2", "--retry-window", "3"]
LIMIT_SECONDS = 600


@dataclass(frozen=True)
class World:
    title: str
    environment: dict[str, str]
    options: tuple[str, ...]
    # The parts of the suite to run, each one run of its own; the whole suite when empty.
    parts: tuple[tuple[str, ...], ...] = ((),)


WORLDS = {
    "opaque": World("opaque tokens, short windows", {**SHORT, **ROOMY}, tuple(WINDOWS)),
    "path": World("an issuer with a path", {**SHORT, **ROOMY, "EXAMPLE_ISSUER_PATH": "/t1"}, (*WINDOWS, "--issuer-path", "/t1")),
    "jwt": World(
        "signed access tokens",
        {**SHORT, **ROOMY, "EXAMPLE_TOKENS": "jwt"},
        (*WINDOWS, "--access-token-format", "jwt", "--signing-key", "{keys}"),
        parts=(("--group", "T"), ("--group", "V"), ("--group", "C")),
    ),
    "strict": World(
        "no windows at all",
        {**ROOMY, "EXAMPLE_CODE_RACE": "0", "EXAMPLE_RETRY_WINDOW": "0"},
        ("--code-race", "0", "--retry-window", "0"),
        parts=(("--group", "F"), ("--group", "C")),
    ),
    "budgets": World("the default budgets", {}, (), parts=(("--case", "M-49", "--fetch-budget", "60"), ("--case", "K-16"), ("--case", "D-11"))),
}


def run(host: str, name: str, world: World) -> bool:
    held = True
    for number, part in enumerate(world.parts):
        with example(host, **world.environment) as served:
            print(f"== {host}: {world.title} {' '.join(part)}".rstrip(), flush=True)
            command = [sys.executable, "-m", "blackbox", "--quiet", "--base", served.base, "--fixture", str(FIXTURE)]
            command += [option.replace("{keys}", str(keys_of(served))) for option in (*world.options, *part)]
            command += ["--report", str(REPORTS / host / f"{name}-{number}.md")]
            held &= subprocess.run(command, cwd=HERE, check=False, timeout=LIMIT_SECONDS).returncode == 0
    return held


def keys_of(served: Served) -> Path:
    """The development keys that the server made for itself beside its database."""
    return served.log.parent / ".lockstep-keys.json"


def main() -> int:
    stop_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", choices=HOSTS, default="python")
    parser.add_argument("worlds", nargs="*", metavar="WORLD", help=f"which worlds: {', '.join(WORLDS)} (default: all)")
    arguments = parser.parse_args()
    chosen = arguments.worlds or list(WORLDS)
    if unknown := [name for name in chosen if name not in WORLDS]:
        parser.error(f"no such world: {', '.join(unknown)}")
    reports = REPORTS / arguments.host
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    failed = [name for name in chosen if not run(arguments.host, name, WORLDS[name])]
    print(f"attack suite: failed in {', '.join(failed)}" if failed else f"attack suite: held in {len(chosen)} worlds against the {arguments.host} host")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

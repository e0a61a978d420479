"""`python -m blackbox --base http://127.0.0.1:8787 --fixture examples/python-fastapi-mcp/fixture.json`"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from . import runner
from .case import Failed
from .report import counts, markdown
from .suite import Suite

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    asked = arguments()
    fixture = json.loads(find(asked.fixture).read_text())
    for member, value in (("issuer_path", asked.issuer_path), ("access_token_format", asked.access_token_format)):
        if value is not None:
            fixture[member] = value
    if asked.signing_key:
        key = json.loads(Path(asked.signing_key).read_text())
        fixture["access_token_signing_jwk"] = key["jwt"][0]["jwk"] if "jwt" in key else key
    runner.load()
    cases = runner.select(asked.group, asked.case)
    if asked.list:
        print("\n".join(f"{c.id:<9} {c.title}" for c in cases))
        return 0
    return asyncio.run(attack(asked, fixture, cases))


async def attack(asked, fixture: dict, cases) -> int:
    suite = Suite(
        asked.base,
        fixture,
        code_race=fixture.get("code_race_seconds", 5) if asked.code_race is None else asked.code_race,
        retry_window=fixture.get("retry_window_seconds", 30) if asked.retry_window is None else asked.retry_window,
        nodes=asked.node,
        fetch_budget=asked.fetch_budget,
    )
    started = time.monotonic()
    show = (lambda r: None) if asked.quiet else (lambda r: print(r.line(), flush=True) if r.verdict == "failed" or asked.verbose else None)
    try:
        results = await runner.run(suite, cases, at_once=asked.at_once, told=show)
    except (Failed, OSError) as wrong:
        print(f"No server to attack at {asked.base}: {wrong}", file=sys.stderr)
        return 2
    finally:
        await suite.close()
    if asked.report:
        Path(asked.report).write_text(markdown(results, suite.base, suite.wire.journal.answers))
    if not asked.quiet:
        print("\n" + "\n".join(r.line() for r in results))
    print(f"\n{suite.wire.journal.answers} answers read in {time.monotonic() - started:.0f} s")
    print(counts(results))
    return 1 if any(r.verdict == "failed" for r in results) else 0


def arguments():
    parser = argparse.ArgumentParser(prog="python -m blackbox", description="Attacks an OAuth 2.1 authorization server for MCP over HTTP.")
    parser.add_argument("--base", required=True, help="where the server listens, such as http://127.0.0.1:8787")
    parser.add_argument("--fixture", required=True, help="what the server was given: clients, users, resources (JSON)")
    parser.add_argument("--group", help="one group of the catalogue, such as C")
    parser.add_argument("--case", help="one case and its variants, such as C-03")
    parser.add_argument("--report", help="write a Markdown report to this file")
    parser.add_argument("--code-race", type=float, help="the server's code_race_seconds (default: the fixture's)")
    parser.add_argument("--retry-window", type=float, help="the server's retry_window_seconds (default: the fixture's)")
    parser.add_argument("--issuer-path", help="the path of the issuer (default: the fixture's)")
    parser.add_argument("--access-token-format", choices=("opaque", "jwt"), help="default: the fixture's")
    parser.add_argument("--signing-key", help="file with the test server's private signing JWK (or its Lockstep key ring), for the JWT claim cases")
    parser.add_argument("--node", action="append", default=[], help="another node of the same issuer and store; may be repeated")
    parser.add_argument("--fetch-budget", type=int, help="document fetches that the server allows a host and minute (for M-49)")
    parser.add_argument("--at-once", type=int, default=runner.AT_ONCE, help="cases at once")
    parser.add_argument("--list", action="store_true", help="only list the cases")
    parser.add_argument("--verbose", action="store_true", help="print every case as it ends")
    parser.add_argument("--quiet", action="store_true", help="print the counts only")
    return parser.parse_args()


def find(path: str) -> Path:
    """A path as given, or below the repository, so that the command is the same from everywhere."""
    return next((p for p in (Path(path), REPOSITORY / path) if p.exists()), Path(path))


if __name__ == "__main__":
    sys.exit(main())

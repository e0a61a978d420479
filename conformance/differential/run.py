"""Asks the Python host and the Node host the same, and compares what they answer, store and report, byte for byte.

    python conformance/differential/run.py NODE [--requests 4000] [--seed N] [--world opaque]

Both run the adapters that ship, with one configuration, one key ring, and for each request the same instant and entropy. So there
is no exception to "the same bytes" but the headers that the HTTP servers add (date, server, connection and the like). Only in the
world whose seat is web-standard, a `Request` has one header of a name and a normal URL, so nothing else is sent, a `Response` that
is streamed says no length, and a guard knows no peer.

A request that one HTTP server refuses before its host has seen it is counted apart, and changes nothing at the other one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from damage import ANY, CHANGES_NOTHING, WIRE  # noqa: E402
from hosts import Host, both  # noqa: E402
from life import Life  # noqa: E402
from serving import stop_on_sigterm  # noqa: E402
from wire import Answer, Request, send  # noqa: E402
from world import BEGIN, WORLDS, description  # noqa: E402

REFUSED_SHARE = 0.06
SHOWN = 12
FAULTS = ["load", "unknown", "lost", "conflict", "raised"]


@dataclass
class Result:
    answers: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def damaged(rng: Random, request: Request) -> Request:
    """Half of the requests as they should be, the others damaged once or more often."""
    if rng.random() < 0.5:
        return request
    while True:
        if request.purpose in CHANGES_NOTHING and rng.random() < 0.15:
            return rng.choice(WIRE)(rng, request)
        request = rng.choice(ANY)(rng, request)
        if rng.random() < 0.7:
            return request


def differing_in(first: Answer | None, second: Answer | None, streamed: bool) -> list[str]:
    if first is None or second is None:
        return [] if first is second else ["one of them gave no answer"]
    return first.differences(second, streamed)


def story(number: int, request: Request, stamp: str, differences: list[str]) -> str:
    told = "\n  ".join(differences)
    return f"request {number} ({request.purpose}), the answers of Python and Node:\n  {request.as_curl(stamp)}\n  {told}"


def compare(hosts: list[Host], world: dict[str, Any], requests: int, rng: Random) -> Result:
    options, web = world["options"], world["seat"] == "web"
    life, result, now = Life(rng, options), Result(), BEGIN
    differing: dict[int, str] = {}
    statuses: dict[int, str] = {}
    for number in range(requests):
        now += rng.choice([0] * 10 + [1, 1, 2, 5, 20] + ([3_600] if rng.random() < 0.02 else [0]))
        life.now = now
        meant = life.next()
        request = damaged(rng, meant)
        if web:
            request = (request if request.is_url else meant).folded()
        fault = " " + rng.choice(FAULTS) if rng.random() < 0.04 else ""
        stamp = f"{number} {now}{fault}"
        first, second = (send(host.port, request.as_bytes(stamp), request.method) for host in hosts)
        statuses[number] = f"{request.purpose} {first.status if first else 'none'}"
        if found := differing_in(first, second, streamed=web):
            differing[number] = story(number, request, stamp, found)
        elif first is not None and (request.method, request.path) == (meant.method, meant.path):
            life.learn(first)
    reports = [host.report() for host in hosts]
    seen = [set(report["seen"]) for report in reports]
    for number in range(requests):
        missed = [host.name for host, numbers in zip(hosts, seen) if number not in numbers]
        if missed:
            result.refused[" and ".join(missed)] += 1
        else:
            result.answers[statuses[number]] += 1
            if number in differing:
                result.differences.append(differing[number])
    of_both = seen[0] & seen[1]
    told = [[event for event in report["events"] if event[0] in of_both] for report in reports]
    for *_, details in (event for events in told for event in events if web):
        details.pop("peer", None)
    if told[0] != told[1]:
        at = next((i for i, (a, b) in enumerate(zip(*told)) if a != b), min(map(len, told)))
        result.differences.append(f"the events, from {at} on: {told[0][at : at + 1]} and {told[1][at : at + 1]}")
    records = [report["records"] for report in reports]
    for key in sorted(set(records[0]) | set(records[1])):
        if records[0].get(key) != records[1].get(key):
            result.differences.append(f"the record {key}: {records[0].get(key)} and {records[1].get(key)}")
    result.answers["(events)"], result.answers["(records)"] = len(told[0]), len(records[0])
    return result


def ask(name: str, node: str, requests: int, seed: int, but_for_node: dict[str, Any] | None = None) -> Result:
    """Asks both hosts of one world; for Node with options of its own where the test of the test wants some."""
    world = description(name)
    other = {**world, "options": {**world["options"], **(but_for_node or {})}}
    with both(node, world, other) as hosts:
        return compare(hosts, world, requests, Random(f"{seed} {name}"))


def notices(node: str) -> bool:
    """Whether one second less in one option of one host is seen, in records if in nothing else."""
    found = ask("opaque", node, 150, 1, {"code_seconds": 59}).differences
    print(f"differential: codes that live a second less are {'noticed' if found else 'NOT NOTICED'}", flush=True)
    return bool(found)


def run(name: str, node: str, requests: int, seed: int) -> bool:
    began = time.monotonic()
    result = ask(name, node, requests, seed)
    refused = sum(result.refused.values())
    events, records = result.answers.pop("(events)"), result.answers.pop("(records)")
    succeeded = sum(count for kind, count in result.answers.items() if kind.split()[-1] in ("200", "201", "303"))
    print(
        f"{name}: {sum(result.answers.values())} answers of {len(result.answers)} kinds ({succeeded} of them 200, 201 or 303), {events} events and {records} records compared;"
        f" refused by the HTTP servers: {refused} {dict(result.refused)}; {len(result.differences)} differences, {time.monotonic() - began:.1f} s",
        flush=True,
    )
    for difference in result.differences[:SHOWN]:
        print(difference)
    if refused > requests * REFUSED_SHARE:
        print(f"{refused} of {requests} requests did not reach both hosts: too many to say much")
    return not result.differences and refused <= requests * REFUSED_SHARE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("node")
    parser.add_argument("--requests", type=int, default=4000, help="in all worlds together")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    parser.add_argument("--world", choices=WORLDS, action="append")
    arguments = parser.parse_args()
    worlds = arguments.world or list(WORLDS)
    print(f"differential: seed {arguments.seed}", flush=True)
    held = [run(name, arguments.node, arguments.requests // len(worlds), arguments.seed) for name in worlds]
    held.append(notices(arguments.node))
    print("differential: the hosts agree" if all(held) else f"differential: they differ; --seed {arguments.seed} asks the same again")
    return 0 if all(held) else 1


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())

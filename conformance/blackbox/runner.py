"""Runs the selected cases, bounded in number at once; those that flood or sign users out come last, one by one."""

from __future__ import annotations

import asyncio
import time
import traceback

from .case import REGISTRY, Case, Failed, NotApplicable
from .report import Result
from .suite import Suite

AT_ONCE = 8
CASE_LIMIT_SECONDS = 120.0


def load() -> None:
    """Importing a group registers its cases."""
    from . import groups

    groups.load()


def ordered(cases) -> list[Case]:
    return sorted(cases, key=lambda c: c.order)


async def run(suite: Suite, cases: list[Case], *, at_once: int = AT_ONCE, told=lambda result: None) -> list[Result]:
    await suite.start()
    gate = asyncio.Semaphore(at_once)

    async def bounded(one: Case) -> Result:
        async with gate:
            result = await run_one(suite, one)
        told(result)
        return result

    # What was seen in all answers is judged when all answers have been seen.
    last = [c for c in cases if c.group == "ANY" or getattr(c.run, "reads_journal", False)]
    alone = [c for c in cases if c.alone and c not in last]
    together = [c for c in cases if c not in last and c not in alone]
    results = list(await asyncio.gather(*(bounded(c) for c in together)))
    for one in [*alone, *last]:
        results.append(await bounded(one))
    return sorted(results, key=lambda r: r.case.order)


async def run_one(suite: Suite, one: Case) -> Result:
    started = time.monotonic()

    def result(verdict: str, expected: str, observed: str) -> Result:
        return Result(one, verdict, expected, observed, time.monotonic() - started)

    try:
        seen = await asyncio.wait_for(one.run(suite), CASE_LIMIT_SECONDS)
        return result("passed", one.title, seen or "as expected")
    except NotApplicable as why:
        return result("skipped", one.title, str(why))
    except Failed as wrong:
        return result("failed", wrong.expected, wrong.observed)
    except TimeoutError:
        return result("failed", "an end of the case", f"nothing for {CASE_LIMIT_SECONDS:.0f} s")
    except OSError as wrong:
        return result("failed", "a server to talk to", f"{type(wrong).__name__}: {wrong}")
    except Exception:  # a bug of the suite must never look like a pass, nor stop the run
        return result("failed", "a suite without bugs", traceback.format_exc(limit=-3))


def select(group: str | None, case: str | None) -> list[Case]:
    from .case import selected

    cases = REGISTRY.values()
    if case:
        return ordered(c for c in cases if selected(c.id, case) or c.group == "ANY")
    if group:
        return ordered(c for c in cases if c.group in (group, "ANY"))
    return ordered(cases)

"""Judges the results of run.sh and writes docs/MUTATION.md: report.py [--check].

Fails where a mutant survived that is not excused, where an excuse fits nothing, and, with --check, where the page is not up
to date.
"""

import json
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".build/mutation/results"
PAGE = ROOT / "docs/MUTATION.md"
KINDS = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timed out", "Unviable": "unviable"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file, and what became of it."""

    file: str
    name: str
    place: tuple[int, int]
    line: str
    outcome: str


def outcomes(folder: Path) -> list[Mutant]:
    """The mutants of one file. What the last round found counts."""
    found: dict[str, Mutant] = {}
    for part in ("near.json", "core.json", "all.json"):
        if not (folder / part).exists():
            continue
        for outcome in json.loads((folder / part).read_text())["outcomes"]:
            scenario = outcome["scenario"]
            if scenario == "Baseline":
                continue
            mutant = scenario["Mutant"]
            start = mutant["span"]["start"]
            place = (start["line"], start["column"])
            line = (ROOT / mutant["file"]).read_text().splitlines()[place[0] - 1].strip()
            name = mutant["name"].split(": ", 1)[1]
            found[mutant["name"]] = Mutant(mutant["file"], name, place, line, KINDS[outcome["summary"]])
    # An interrupted round leaves no outcomes, only the list of what it caught.
    for part in ("caught.txt", "previously_caught.txt"):
        path = folder / "mutants.out" / part
        for name in path.read_text().splitlines() if path.exists() else []:
            if name in found and found[name].outcome == "missed":
                found[name] = replace(found[name], outcome="caught")
    return list(found.values())


def report() -> tuple[str, list[str]]:
    """The page, and what is wrong."""
    excuses = tomllib.loads((Path(__file__).parent / "excused.toml").read_text()).get("excused", [])
    used: Counter[int] = Counter()
    problems, rows, total = [], [], Counter()
    tested = set()
    for folder in sorted(RESULTS.iterdir()) if RESULTS.exists() else []:
        mutants = outcomes(folder)
        if not mutants:
            continue
        tested.add(mutants[0].file)
        counts = Counter()
        for mutant in mutants:
            kind = mutant.outcome
            fitting = [
                index
                for index, excuse in enumerate(excuses)
                if (excuse["file"], excuse["mutant"], excuse["line"]) == (mutant.file, mutant.name, mutant.line)
            ]
            if fitting and kind == "missed":
                kind = "excused"
                used.update(fitting)
            elif kind == "missed":
                problems.append(f"survived: {mutant.file}:{mutant.place[0]}:{mutant.place[1]}: {mutant.name}")
            counts[kind] += 1
        total.update(counts)
        rows.append((mutants[0].file, counts))
    idle = [excuse for index, excuse in enumerate(excuses) if excuse["file"] in tested and not used[index]]
    problems += [f"excuses nothing: {excuse}" for excuse in idle]
    left_out = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "core/src").rglob("*.rs")
        if str(path.relative_to(ROOT)) not in tested and "generators" not in path.parts
    )
    return page(rows, total, excuses, left_out), problems


def page(rows: list, total: Counter, excuses: list, left_out: list[str]) -> str:
    """The page as Markdown."""
    kinds = ("caught", "timed out", "unviable", "excused", "missed")
    lines = [
        "# Mutants of the core",
        "",
        "cargo-mutants makes every change to the core that it knows (a comparison turned round, a condition made true, a function",
        "that returns its default), one at a time; some test has to fail. A mutant that does not compile is *unviable*, one that",
        "never ends is *timed out* and counts as noticed, and one that no test has to catch is *excused*, with its reason below.",
        "Caught means: by the tests of the core and of `conformance`, without a network, another language or a fuzzer.",
        "",
        "    bash conformance/mutation/run.sh           # every file; hours",
        "    bash conformance/mutation/run.sh core/src/grant.rs",
        "    KEEP=1 bash conformance/mutation/run.sh    # goes on where it stopped",
        "    python3 conformance/mutation/report.py     # judges the results and writes this page",
        "",
        "| File | Mutants | Caught | Timed out | Unviable | Excused | Missed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for file, counts in [*rows, ("**All of these**", total)]:
        numbers = [sum(counts.values()), *(counts[kind] for kind in kinds)]
        name = file if file.startswith("**") else f"`{file.removeprefix('core/src/')}`"
        lines.append(f"| {name} | " + " | ".join(map(str, numbers)) + " |")
    lines += ["", "## Excused", ""]
    for excuse in excuses:
        lines += [f"- `{excuse['file']}`, `{excuse['line']}`: *{excuse['mutant']}*. {excuse['reason']}"]
    if left_out:
        names = ", ".join(f"`{file.removeprefix('core/src/')}`" for file in left_out)
        lines += ["", "## Not in this table", "", f"Without mutants, or not run for this page: {names}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes or compares the page, and says what is wrong."""
    text, problems = report()
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        problems.append("docs/MUTATION.md is not what the results say")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())

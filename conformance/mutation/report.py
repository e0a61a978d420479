"""Judges the results of run.sh, keeps them in judged.json and writes docs/MUTATION.md: report.py [--check | --judged FILE].

Fails where a mutant survived that is not excused, and where an excuse fits nothing. With --check it looks at no results:
it fails where the page is not what judged.json says, and names the rows whose source has changed since they were judged.
report.py --judged FILE says whether FILE was judged as it is now, and nothing survived.
"""

import hashlib
import json
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".build/mutation/results"
JUDGED = Path(__file__).parent / "judged.json"
EXCUSED = Path(__file__).parent / "excused.toml"
PAGE = ROOT / "docs/MUTATION.md"
KINDS = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timed out", "Unviable": "unviable"}
COLUMNS = ("caught", "timed out", "unviable", "excused", "missed")


@dataclass(frozen=True)
class Mutant:
    """One change of one file, and what became of it."""

    file: str
    name: str
    place: tuple[int, int]
    line: str
    outcome: str


def source_of(file: str) -> str:
    """The SHA-256 of a file as it is now; nothing when it is gone."""
    path = ROOT / file
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def outcomes(folder: Path) -> list[Mutant]:
    """The mutants of one file. What the last round found counts."""
    found: dict[str, Mutant] = {}
    for part in ("near.json", "flows.json", "core.json", "all.json"):
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


def judge(judged: dict, excuses: list) -> None:
    """Takes finished results of sources that are still as they were into `judged`."""
    for folder in sorted(RESULTS.iterdir()) if RESULTS.exists() else []:
        named = folder / "source"
        if not all((folder / name).exists() for name in ("source", "near.json", "all.json")):
            print(f"not finished: {folder.name}")
            continue
        source, file = named.read_text().split()
        if source_of(file) != source:
            print(f"changed since it was run: {file}")
            continue
        counts, fitted, missed = Counter(), [], []
        for mutant in outcomes(folder):
            key = {"mutant": mutant.name, "line": mutant.line}
            if mutant.outcome != "missed":
                counts[mutant.outcome] += 1
            elif {"file": file, **key} in [{name: one[name] for name in ("file", "mutant", "line")} for one in excuses]:
                counts["excused"] += 1
                fitted.append(key)
            else:
                counts["missed"] += 1
                missed.append({"place": list(mutant.place), **key})
        judged[file] = {"source": source, "counts": dict(sorted(counts.items())), "excused": fitted, "missed": missed}


def problems(judged: dict, excuses: list) -> list[str]:
    """What is wrong with what was judged: survivors, and excuses without one."""
    found = []
    for file, row in judged.items():
        for one in row["missed"]:
            found.append(f"survived: {file}:{':'.join(map(str, one['place']))}: {one['mutant']}")
        fitting = [(one["mutant"], one["line"]) for one in row["excused"]]
        own = [(one["mutant"], one["line"]) for one in excuses if one["file"] == file]
        found += [f"excuses nothing: {file}: {mutant}: {line}" for mutant, line in own if (mutant, line) not in fitting]
        found += [f"no longer excused: {file}: {mutant}" for mutant, line in fitting if (mutant, line) not in own]
    return found


def page(judged: dict, excuses: list) -> str:
    """The page as Markdown."""
    lines = [
        "# Mutants of the core",
        "",
        "cargo-mutants makes every change to the core that it knows (a comparison turned round, a condition made true, a function",
        "that returns its default), one at a time; some test has to fail. A mutant that does not compile is *unviable*, one that",
        "never ends is *timed out* and counts as noticed, and one that no test has to catch is *excused*, with its reason below.",
        "Caught means: by the tests of the core and of `conformance`, without a network, another language or a fuzzer.",
        "",
        "    make mutants                               # every file; hours",
        "    make mutants MUTATE=core/src/grant.rs",
        "    KEEP=1 make mutants                        # only files whose source has changed since they were judged",
        "    python3 conformance/mutation/report.py     # judges what was run, and writes this page",
        "",
        "A row speaks of the file whose SHA-256 begins as it says, and of the tests of its time. `report.py --check`, which is part",
        "of `make test`, names the rows of files that have changed since; whoever reads the page can do the same with `sha256sum`.",
        "",
        "| File | Source | Mutants | Caught | Timed out | Unviable | Excused | Missed |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    total: Counter[str] = Counter()
    without = []
    for file, row in sorted(judged.items()):
        counts = Counter(row["counts"])
        if not counts:
            without.append(file)
            continue
        total.update(counts)
        numbers = [sum(counts.values()), *(counts[kind] for kind in COLUMNS)]
        start = f"| `{file.removeprefix('core/src/')}` | `{row['source'][:12]}` | "
        lines.append(start + " | ".join(map(str, numbers)) + " |")
    numbers = [sum(total.values()), *(total[kind] for kind in COLUMNS)]
    lines.append("| **All of these** | | " + " | ".join(map(str, numbers)) + " |")
    lines += ["", "## Excused", ""]
    for excuse in excuses:
        lines += [f"- `{excuse['file']}`, `{excuse['line']}`: *{excuse['mutant']}*. {excuse['reason']}"]
    every = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "core/src").rglob("*.rs"))
    not_run = [file for file in every if file not in judged and not file.startswith("core/src/generators/")]
    for title, files in (("Without a mutant", without), ("Not run", not_run)):
        if files:
            names = ", ".join(f"`{file.removeprefix('core/src/')}`" for file in files)
            lines += ["", f"{title}: {names}."]
    lines += ["", "`generators/` is left out: it is for tests alone, and behind a feature."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Judges and writes, or compares; and says what is wrong."""
    check = "--check" in sys.argv
    excuses = tomllib.loads(EXCUSED.read_text()).get("excused", [])
    judged = json.loads(JUDGED.read_text()) if JUDGED.exists() else {}
    if "--judged" in sys.argv:
        file = sys.argv[-1]
        return 0 if file in judged and judged[file]["source"] == source_of(file) and not judged[file]["missed"] else 1
    if not check:
        judge(judged, excuses)
        judged = {file: row for file, row in sorted(judged.items()) if (ROOT / file).exists()}
        JUDGED.write_text(json.dumps(judged, indent=1) + "\n")
        PAGE.write_text(page(judged, excuses))
    for file, row in judged.items():
        if source_of(file) != row["source"]:
            print(f"judged with an older source: {file}")
    wrong = problems(judged, excuses)
    if check and PAGE.read_text() != page(judged, excuses):
        wrong.append("docs/MUTATION.md is not what judged.json says; python3 conformance/mutation/report.py writes it")
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

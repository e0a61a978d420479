"""Runs spin over the rotation model and holds it, and the core, to verdicts.json: check.py SPIN WORK TRACES [--prove] [--write].

TRACES is the program `rotation_traces` of the conformance crate. With --write the numbers of states and traces are
written into the table instead of being held to it: read the diff."""

import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
SPIN, WORK, TRACES = sys.argv[1], pathlib.Path(sys.argv[2]), str(pathlib.Path(sys.argv[3]).resolve())
PROVE, WRITE = "--prove" in sys.argv, "--write" in sys.argv
TABLE = json.loads((HERE / "verdicts.json").read_text())
NO_BUDGET = 255


def run(*command: str, folder: pathlib.Path, may_fail: bool = False) -> subprocess.CompletedProcess:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    if done.returncode and not may_fail:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


class Verifier:
    """One compiled model: some bounds, perhaps with a deliberate fault."""

    def __init__(self, model: str, bounds: str, *switches: str, fair: bool = False) -> None:
        self.folder = WORK / "-".join([bounds, *switches, *(["fair"] if fair else [])])
        self.folder.mkdir(parents=True, exist_ok=True)
        values = TABLE["bounds"][bounds]
        self.fair = ["-f"] if fair else []
        defines = [f"-D{name}={value}" for name, value in values.items()] + [f"-D{switch}" for switch in switches]
        run(SPIN, "-a", *defines, str(HERE / model), folder=self.folder)
        # Optimising takes longer than it saves, but for the large bounds.
        options = ["-O1" if bounds in TABLE["correct_in_prove"] else "-O0", "-w", "-DVECTORSZ=2048", "-DCOLLAPSE"]
        options += ["-DNFAIR=3" if fair else "-DNOFAIR"]
        if model == "traces.pml":
            options += ["-DSAFETY", f"-DSTEPS={values['STEPS']}"]
        run("cc", *options, "-o", "pan", "pan.c", folder=self.folder)

    def holds(self, claim: str) -> tuple[bool, int]:
        """Whether the claim holds in every run, and in how many states that was seen."""
        out = run("./pan", "-a", *self.fair, "-m100000", "-N", claim, folder=self.folder).stdout
        errors, states = finished(out)
        assert f"never claim         \t+ ({claim})" in out, out
        return errors == 0, states

    def traces(self) -> tuple[pathlib.Path, int]:
        out = run("./pan", "-E", "-m100000", folder=self.folder).stdout
        errors, _ = finished(out)
        lines = re.findall(r"^[bdtrf][01-][\d-].*$", out, re.MULTILINE)
        assert errors == 0 and lines, out[-3000:]
        file = self.folder / "traces"
        file.write_text("\n".join(lines) + "\n")
        return file.resolve(), len(lines)


def finished(out: str) -> tuple[int, int]:
    errors, states = re.search(r"errors: (\d+)", out), re.search(r"(\d+) states, stored", out)
    assert errors and states, out[-3000:]
    # A search that was cut short without a find says nothing.
    assert errors[1] != "0" or not re.search("not completed|too small|out of memory", out), out[-3000:]
    return int(errors[1]), int(states[1])


def pinned(part: str, bounds: str, number: int) -> list[str]:
    if WRITE:
        TABLE[part][bounds] = number
    if TABLE[part][bounds] != number:
        return [f"{part}: {bounds} has {number} and not {TABLE[part][bounds]}"]
    return []


def correct(part: str, bounds: str) -> list[str]:
    verifier, wrong = Verifier("world.pml", bounds), []
    # One run for all properties says the same; a run for each says which, should one fail.
    for claim in TABLE["properties"] if PROVE and part == "correct" else ["all_of_them"]:
        held, states = verifier.holds(claim)
        print(f"{bounds}: {claim} {'holds' if held else 'IS REFUTED'} in {states} states", flush=True)
        wrong += pinned(part, bounds, states) if held else [f"{bounds}: {claim} should hold"]
    return wrong


def live(claim: str, bounds: str) -> list[str]:
    held, states = Verifier("world.pml", bounds, fair=True).holds(claim)
    print(f"{bounds}: {claim} {'holds' if held else 'IS REFUTED'} in {states} states", flush=True)
    return [] if held else [f"{bounds}: {claim} should hold"]


def sometimes(bounds: str) -> list[str]:
    verifier = Verifier("world.pml", bounds, "SOMETIMES")
    claims = [claim for claim, where in TABLE["sometimes"].items() if where == bounds]
    return [f"{bounds}: {claim} should be refuted" for claim in claims if verifier.holds(claim)[0]]


def mutant(name: str, bounds: str, refuted: list[str]) -> list[str]:
    verifier = Verifier("world.pml", bounds, name)
    survived = [claim for claim in refuted if verifier.holds(claim)[0]]
    print(f"{name}: {'NOT CAUGHT' if survived else 'caught'} by {', '.join(survived or refuted)}", flush=True)
    return [f"{name} should be caught by {claim}" for claim in survived]


def follow(bounds: str, file: pathlib.Path, *options: str) -> subprocess.CompletedProcess:
    values = TABLE["bounds"][bounds]
    return run(
        TRACES, str(values["WINDOW"]), str(values.get("BUDGET", NO_BUDGET)), str(file), *options,
        folder=HERE, may_fail=True,
    )  # fmt: skip


def agree(part: str, bounds: str) -> list[str]:
    file, count = Verifier("traces.pml", bounds).traces()
    done = follow(bounds, file)
    print(f"{bounds}: {done.stdout.strip() or done.stderr.strip()}", flush=True)
    wrong = pinned(part, bounds, count)
    return wrong + ([f"{bounds}: model and core disagree"] if done.returncode else [])


def disagree(name: str, bounds: str) -> list[str]:
    file, _ = Verifier("traces.pml", bounds, name).traces()
    done = follow(bounds, file, "--first")
    if done.returncode == 1 and (step := re.search(r"step (\d+): the model says (\S+), the core (\S+)", done.stdout)):
        print(f"{name}: another model than the core's after {step[1]} steps ({step[2]}, {step[3]})", flush=True)
        return []
    return [f"{name}: no trace of {bounds} differs from the core's\n{done.stdout}{done.stderr}"]


def worlds() -> list[str]:
    """Holds the verdicts to those of the worlds over the shipped exchanges, as docs/FAULTS.md reports them: where both break
    in the same way, the law that notices it there is the counterpart of a property that is refuted here."""
    page = HERE.parents[1] / "docs" / "FAULTS.md"
    if not page.exists():
        # Without the worlds there is nothing to compare with; with them a missing page is a fault.
        return ["docs/FAULTS.md is missing"] if (HERE.parent / "model").exists() else []
    rows = re.findall(r"^\| \d+ \| (.+?) \| (.+?) \| ([a-z-]+) \| \d+ \|$", page.read_text(), re.MULTILINE)
    caught = {fault: (law, world) for fault, law, world in rows}
    laws, wrong = TABLE["counterparts"]["laws"], []
    for name, fault in TABLE["counterparts"]["faults"].items():
        law, world = caught.get(fault, ("", ""))
        same = [claim for claim in TABLE["mutants"][name]["refuted"] if claim in laws and law.startswith(laws[claim])]
        wrong += [] if same else [f"{name}: no property refuted here is the counterpart of what docs/FAULTS.md says: {law!r}"]
        print(f"{name}: {', '.join(same) or 'NOTHING'} here, as in the world {world or '?'}", flush=True)
    return wrong


def main() -> None:
    began = time.monotonic()
    jobs = [(correct, "correct", bounds) for bounds in TABLE["correct"]]
    jobs += [(agree, "traces", bounds) for bounds in TABLE["traces"]]
    if PROVE:
        jobs += [(correct, "correct_in_prove", bounds) for bounds in TABLE["correct_in_prove"]]
        jobs += [(agree, "traces_in_prove", bounds) for bounds in TABLE["traces_in_prove"]]
    jobs += [(live, claim, bounds) for claim, where in TABLE["live"].items() for bounds in where]
    jobs += [(sometimes, bounds) for bounds in sorted(set(TABLE["sometimes"].values()))]
    for name, row in TABLE["mutants"].items():
        jobs += [(mutant, name, row["bounds"], row["refuted"])] if "refuted" in row else []
        jobs += [(disagree, name, row["traces"])] if "traces" in row else []
    # A fault that no row names would be one that nothing has to notice.
    declared = set(re.findall(r"#ifdef ([A-Z_]+)", "".join(path.read_text() for path in HERE.glob("*.pml"))))
    wrong = [f"{name} is in no row of verdicts.json" for name in sorted(declared - set(TABLE["mutants"]) - {"SOMETIMES"})]
    wrong += worlds()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for problems in pool.map(lambda job: job[0](*job[1:]), jobs):
            wrong += problems
    if WRITE:
        (HERE / "verdicts.json").write_text(json.dumps(TABLE, indent=2) + "\n")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"formal: {len(TABLE['mutants'])} faults of the model noticed, in {time.monotonic() - began:.0f} s")


main()

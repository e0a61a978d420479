"""The report: one block a case, and the counts that decide the exit code."""

from __future__ import annotations

from dataclasses import dataclass

from .case import Case

MARK = {"passed": "pass", "failed": "FAIL", "skipped": "n/a "}


@dataclass
class Result:
    case: Case
    verdict: str  # passed, failed or skipped
    expected: str
    observed: str
    seconds: float

    def line(self) -> str:
        text = f"{MARK[self.verdict]}  {self.case.id:<9} {self.case.title}"
        if self.verdict == "failed":
            text += f"\n        expected: {self.expected}\n        observed: {self.observed}"
        elif self.verdict == "skipped":
            text += f"\n        because: {self.observed}"
        return text


def counts(results: list[Result]) -> str:
    number = {v: sum(r.verdict == v for r in results) for v in MARK}
    return f"{number['passed']} passed, {number['failed']} failed, {number['skipped']} skipped"


def markdown(results: list[Result], base: str, answers: int) -> str:
    out = ["# Attack suite", "", f"Server: `{base}`. {len(results)} cases, {answers} answers read.", ""]
    gates = [r for r in results if r.case.gate == 1]
    out += [f"Gate 1: {counts(gates)}.", "", "| group | passed | failed | not applicable |", "|---|---|---|---|"]
    for group in dict.fromkeys(r.case.group for r in results):
        mine = [r.verdict for r in results if r.case.group == group]
        out.append(f"| {group} | {mine.count('passed')} | {mine.count('failed')} | {mine.count('skipped')} |")
    out.append("")
    for result in results:
        gate = " (gate 1)" if result.case.gate else ""
        out += [f"## {result.case.id}{gate}: {result.verdict if result.verdict != 'skipped' else 'not applicable'}", "", _escape(result.case.title), ""]
        if result.verdict == "skipped":
            out += [f"- because: {_escape(result.observed)}", ""]
        else:
            out += [f"- expected: {_escape(result.expected)}", f"- observed: {_escape(result.observed)}", f"- {result.seconds:.2f} s", ""]
    out.append(counts(results))
    return "\n".join(out) + "\n"


def _escape(text: str) -> str:
    return text.replace("\n", " ").replace("<", "&lt;").replace("\r", "\\r").replace("\x00", "\\0")

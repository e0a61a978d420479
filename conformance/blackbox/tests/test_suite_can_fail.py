"""The suite passes a right toy server and fails every deliberately broken one, in the cases named here."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from blackbox import expect, runner
from blackbox.case import GROUPS, REGISTRY, Case, selected
from blackbox.report import counts, markdown
from blackbox.suite import Suite

from .tiny_server import TinyServer

FIXTURE_PATH = Path(__file__).parents[3] / "examples/python-fastapi-mcp/fixture.json"
FIXTURE = json.loads(FIXTURE_PATH.read_text())
FIXTURE |= {"registration": "off", "registration_management": False, "client_documents": "off", "introspection_client": None}
runner.load()

# A flaw, and the cases that must see it.
FLAWS = {
    "code_twice": ["C-02", "C-03", "C-06", "C-30"],
    "code_race": ["C-03", "C-06"],
    "no_replay_revocation": ["C-02", "C-02b"],
    "spends_on_failure": ["P-07", "P-08", "P-09", "C-11"],
    "any_client": ["C-08", "C-30"],
    "no_iss": ["A-00", "I-01", "ANY-04"],
    "double_code": ["A-00", "ANY-04"],
    "status_307": ["A-00", "ANY-05"],
    "open_redirect": ["R-01", "R-28a", "R-30a", "R-49"],
    "prefix_redirect": ["R-02", "R-04", "R-14"],
    "first_wins": ["A-05", "A-06a", "A-07a", "A-08", "H-06.token.code", "F-24"],
    "last_wins": ["A-05", "A-06b", "A-07b", "A-08", "H-06.token.code", "F-24"],
    "plain": ["P-01", "P-02", "P-03", "P-22"],
    "no_pkce": ["P-07", "P-08", "P-09", "P-18"],
    "any_resource": ["A-29", "A-34"],
    "reflects": ["A-16.2"],
    "framable": ["U-01"],
    "referrer": ["R-56"],
    "no_no_store": ["C-12", "ANY-02"],
    "no_csrf": ["U-02a", "U-06.0", "H-18"],
    "no_binding": ["A-44", "U-04", "U-18"],
    "consent_redirect": ["R-50"],
    "open_login": ["U-20.0", "U-20.1"],
    "forks": ["F-03", "F-04", "F-05", "F-11"],
    "strict": ["F-03", "F-05"],
    "no_reuse_revocation": ["F-02", "F-04", "F-11", "F-21"],
    "revokes_foreign": ["V-999"],
    "any_audience": ["T-07.mcp", "T-07.api"],
    "query_token": ["T-03.mcp", "T-03.api"],
    "bad_description": ["H-13"],
    "crash": ["C-03", "ANY-01"],
}


async def _foreign_revocation(s):
    tokens = await s.tokens()
    await s.revoke(tokens.refresh_token, "other")
    await expect.alive(s, tokens)


TOYS = {"V-999": Case("V-999", "a token of B sent by A is not revoked (V-04, without the confidential clients that the toy lacks)", _foreign_revocation, group="V")}
CASES = {**REGISTRY, **TOYS}
WANTED = sorted({id for ids in FLAWS.values() for id in ids})


def attack(flaws: set[str], ids: list[str]):
    async def run():
        async with TinyServer(FIXTURE, flaws) as server:
            suite = Suite(server.base, FIXTURE, code_race=server.code_race, retry_window=server.retry_window, nodes=[])
            try:
                return await runner.run(suite, [CASES[id] for id in ids])
            finally:
                await suite.close()

    return asyncio.run(run())


def test_a_right_server_passes_every_case_that_the_flaws_are_judged_by():
    assert {r.case.id: r.observed for r in attack(set(), WANTED) if r.verdict != "passed"} == {}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_server_fails(flaw):
    ids = FLAWS[flaw]
    # A rule about all answers needs answers: a few ordinary cases run beside it.
    traffic = ["C-12", "C-03", "A-00"] if any(CASES[id].run.__dict__.get("reads_journal") for id in ids) else []
    verdicts = {r.case.id: r.verdict for r in attack({flaw}, sorted({*ids, *traffic}))}
    assert {id: verdicts[id] for id in ids} == dict.fromkeys(ids, "failed")


def test_no_server_at_all_is_an_error_and_not_a_pass():
    done = subprocess.run([sys.executable, "-m", "blackbox", "--base", "http://127.0.0.1:9", "--fixture", str(FIXTURE_PATH)], cwd=FIXTURE_PATH.parents[2] / "conformance", capture_output=True, text=True)
    assert done.returncode == 2
    assert "passed" not in done.stdout


def test_a_bug_of_a_case_is_a_failure():
    async def broken(s):
        raise KeyError("bug")

    one = Case("V-998", "a case with a bug", broken, group="V")
    result = asyncio.run(runner.run_one(None, one))
    assert result.verdict == "failed"
    assert counts([result]) == "0 passed, 1 failed, 0 skipped"


def test_a_case_selects_its_variants_and_no_other_number():
    assert selected("C-03", "C-03") and selected("C-03a", "C-03") and selected("C-03.2", "C-03")
    assert not selected("C-030", "C-03")


def test_the_report_names_every_case_with_what_was_observed():
    results = attack({"no_iss"}, ["A-00", "A-01"])
    text = markdown(results, "http://127.0.0.1", 3)
    assert "## A-00 (gate 1): failed" in text and "iss" in text
    assert text.rstrip().endswith(counts(results))


def test_no_case_lacks_a_title_and_every_group_has_cases():
    assert all(case.title and case.order[0] >= 0 for case in REGISTRY.values())
    assert {case.group for case in REGISTRY.values()} == {*GROUPS, "ANY"}

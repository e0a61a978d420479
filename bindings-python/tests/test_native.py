"""The glue: verbs that fit, verbs that do not, and objects that many threads use at once."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import REDIRECT, RESOURCE, Host, authorize, check, code_of, handle, headers, make_server, redeem, refresh, tokens

from lockstep_oauth import _native as native
from lockstep_oauth.drive import drive
from lockstep_oauth.errors import ConfigurationError, MisuseError
from lockstep_oauth.types import User

NOW = int(time.time())
VERBS: dict[str, tuple[Any, ...]] = {
    "loaded": ([],),
    "load_failed": (),
    "committed": ("committed",),
    "fetched": (200, [], b""),
    "fetch_failed": ("no",),
    "decided": (native.Decision.allow(),),
    "decide_failed": (),
}


def at_load(server: native.Server) -> native.Exchange:
    return check(server, "lsa_" + tokens(server, Host())["access_token"][4:])


def at_decide(server: native.Server) -> native.Exchange:
    return authorize(server)


def at_commit(server: native.Server) -> native.Exchange:
    host = Host()
    exchange = redeem(server, code_of(drive(authorize(server), host)))
    while not isinstance(exchange.step, native.Commit):
        assert isinstance(exchange.step, native.Load)
        exchange.loaded(host.store.load(exchange.step.keys))
    return exchange


def at_fetch(server: native.Server) -> native.Exchange:
    exchange = authorize(server, "https://client.example/document.json")
    while not isinstance(exchange.step, native.Fetch):
        if isinstance(exchange.step, native.Decide):
            exchange.decided(native.Decision.allow())
        else:
            exchange.loaded([None for _ in exchange.step.keys])  # type: ignore[union-attr]
    return exchange


def at_done(server: native.Server) -> native.Exchange:
    return handle(server, "GET", "/nowhere")


@pytest.mark.parametrize(
    ("arrive", "kind", "fitting"),
    [
        (at_load, native.Load, {"loaded", "load_failed"}),
        (at_commit, native.Commit, {"committed"}),
        (at_fetch, native.Fetch, {"fetched", "fetch_failed"}),
        (at_decide, native.Decide, {"decided", "decide_failed"}),
        (at_done, native.Done, set()),
    ],
)
def test_a_wrong_verb_is_misuse_and_leaves_the_exchange_as_it_was(server: native.Server, arrive: Any, kind: type, fitting: set[str]) -> None:
    exchange = arrive(server)
    step = exchange.step
    assert type(step) is kind
    for verb, arguments in VERBS.items():
        if verb not in fitting:
            with pytest.raises(MisuseError):
                getattr(exchange, verb)(*arguments)
            assert exchange.step is step


def test_misuse_says_which_verbs_would_fit(server: native.Server) -> None:
    with pytest.raises(MisuseError, match="committed: the exchange waits for `decided` or `decide_failed`") as caught:
        at_decide(server).committed("committed")
    assert caught.value.at == "committed"


def test_an_answer_that_does_not_fit_leaves_the_exchange_as_it_was(server: native.Server) -> None:
    exchange = at_load(server)
    with pytest.raises(MisuseError, match="one record, or none, for each key"):
        exchange.loaded([])
    with pytest.raises(TypeError):
        exchange.loaded(["not a record"] * 2)  # type: ignore[list-item]
    step = exchange.step
    assert isinstance(step, native.Load)
    assert isinstance(exchange.loaded([None] * len(step.keys)), native.Done)

    exchange = at_decide(server)
    with pytest.raises(MisuseError, match="does not answer that question"):
        exchange.decided(native.Decision.allow())
    with pytest.raises(MisuseError, match="1 to 255 bytes"):
        exchange.decided(native.Decision.signed_in(User("")))
    assert isinstance(exchange.decided(native.Decision.deny()), native.Done)

    exchange = at_commit(server)
    with pytest.raises(MisuseError, match="`committed`, `conflict` or `unknown`"):
        exchange.committed("maybe")
    assert isinstance(exchange.step, native.Commit)


def test_each_verb_returns_the_step_that_the_exchange_is_at(server: native.Server) -> None:
    exchange = at_load(server)
    assert exchange.load_failed() is exchange.step
    assert repr(exchange) == "<Exchange at Done>"


def test_a_whole_grant_through_the_glue(server: native.Server, host: Host) -> None:
    first = tokens(server, host)
    allowed = drive(check(server, first["access_token"]), host)
    assert isinstance(allowed, native.Allowed)
    identity = allowed.identity
    assert (identity.subject, identity.client_id, identity.scopes, identity.kind) == ("alice", "demo", ("notes:read",), "access")
    assert (identity.resource, identity.claims) == (RESOURCE, {"role": "admin"})
    assert identity.expires_at > NOW

    refused = drive(check(server, first["access_token"], ["notes:write"]), host)
    assert isinstance(refused, native.Answer)
    assert (refused.response.status, refused.refusal) == (403, "bearer.scope")

    second = drive(refresh(server, first["refresh_token"]), host)
    assert isinstance(second, native.Answer)
    assert [event.id for event in second.events] == ["token.refreshed"]
    assert second.events[0].details["subject"] == "alice"
    assert json.loads(second.events[0].to_json())["event"] == "token.refreshed"

    listed = server.describe(host.store.list("alice"), 0, NOW)
    assert [(grant.client_id, grant.personal, grant.scopes) for grant in listed] == [("demo", False, ["notes:read"])]
    revoked = drive(server.revoke_grant("alice", listed[0].grant_id, NOW, os.urandom(32)), host)
    assert isinstance(revoked, native.Operated)
    assert revoked.kind == "revoked"
    assert isinstance(drive(check(server, json.loads(second.response.body)["access_token"]), host), native.Answer)
    assert server.describe(host.store.list("alice"), 0, NOW) == []


def test_personal_tokens_and_signing_out(server: native.Server, host: Host) -> None:
    issued = drive(server.issue_personal("alice", "laptop", {"a": [1, None, 1.5]}, "", [], 3600, NOW, os.urandom(32)), host)
    assert isinstance(issued, native.Operated)
    assert (issued.kind, issued.expires_at) == ("issued", NOW + 3600)
    assert issued.token is not None
    allowed = drive(check(server, issued.token), host)
    assert isinstance(allowed, native.Allowed)
    assert (allowed.identity.kind, allowed.identity.claims) == ("personal", {"a": [1, None, 1.5]})
    out = drive(server.sign_out_everywhere("alice", NOW, os.urandom(32)), host)
    assert isinstance(out, native.Operated)
    assert out.kind == "signed_out"
    assert isinstance(drive(check(server, issued.token), host), native.Answer)
    [counter] = host.store.load([server.subject_counter_key("alice")])
    assert server.subject_counter(counter) == 1
    assert server.subject_counter(None) == 0
    assert server.describe(host.store.list("alice"), server.subject_counter(counter), NOW) == []


def test_an_operation_that_cannot_be_meant_is_misuse(server: native.Server) -> None:
    for arguments, at in [
        (("", "laptop", None, "", [], 3600), "subject"),
        (("alice", "x" * 101, None, "", [], 3600), "name"),
        (("alice", "laptop", None, "https://other.example", [], 3600), "resource"),
        (("alice", "laptop", None, "", ["nonsense"], 3600), "scopes"),
        (("alice", "laptop", None, "", [], 0), "expires_in"),
        (("alice", "laptop", {"a": object()}, "", [], 3600), "claims"),
    ]:
        with pytest.raises(MisuseError) as caught:
            server.issue_personal(*arguments, NOW, os.urandom(32))
        assert caught.value.at == at


def test_a_wrong_configuration_names_the_field_and_the_fix() -> None:
    with pytest.raises(ConfigurationError, match="at least one scope") as caught:
        make_server(scopes=[{"name": "a", "default": False}])
    assert caught.value.field == "scopes"
    with pytest.raises(ConfigurationError) as caught:
        native.Server("{}", "no keys")
    assert caught.value.field == "keys"


@pytest.mark.parametrize("seed", [b"", b"\0" * 32, b"x" * 31, b"x" * 33])
def test_a_dead_or_short_seed_is_misuse(server: native.Server, seed: bytes) -> None:
    with pytest.raises(MisuseError, match="os.urandom"):
        server.check([], b"", "", [], "", NOW, seed)
    with pytest.raises(MisuseError, match="os.urandom"):
        native.keys_generate(NOW, seed)


@pytest.mark.parametrize("wrong", [[("a", "b")], [(b"a",)], [b"ab"], [(b"a", b"b", b"c")], [None]])
def test_headers_that_were_decoded_are_misuse(server: native.Server, wrong: Any) -> None:
    with pytest.raises((MisuseError, TypeError)):
        server.check(wrong, b"", "", [], "", NOW, os.urandom(32))


def test_headers_may_come_in_any_sequence_of_pairs(server: native.Server, host: Host) -> None:
    pairs = headers(authorization=f"Bearer {tokens(server, host)['access_token']}")
    for shape in (pairs, tuple(pairs), [list(pair) for pair in pairs], iter(pairs)):
        outcome = drive(server.check(shape, b"", "", [], "", NOW, os.urandom(32)), host)  # type: ignore[arg-type]
        assert isinstance(outcome, native.Allowed)


def test_bytes_that_are_no_text_are_refused_and_never_raise(server: native.Server, host: Host) -> None:
    wild = [(bytes([0xFF, 0xFE]), bytes(range(256))), (b"authorization", b"Bearer \xff")]
    refused = drive(server.check(wild, b"\xff%zz", "", [], "", NOW, os.urandom(32)), host)
    assert isinstance(refused, native.Answer)
    assert refused.response.status in (400, 401)
    answer = drive(server.handle("POST", "/token", b"\xff", wild, b"\xff", "", NOW, os.urandom(32)), host)
    assert isinstance(answer, native.Answer)
    assert answer.response.status < 500


def test_claims_come_back_as_they_were() -> None:
    claims = {"text": "é", "no": None, "yes": True, "list": [1, -1, 2**63, 1.5], "map": {"a": {}}}
    identity = native.Identity("alice", claims=claims, scopes=["a", "b"])
    assert identity.claims == claims
    assert identity.scopes == ("a", "b")
    assert identity == native.Identity("alice", claims=claims, scopes=["a", "b"])
    assert identity != native.Identity("bob")
    assert hash(identity) == hash(native.Identity("alice", claims=claims, scopes=["a", "b"]))
    for wrong in [{"a": object()}, {"a": float("nan")}, 3, ["ab"]]:
        with pytest.raises(MisuseError):
            native.Identity("alice", claims=wrong)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="lockstep_oauth.User"):
        native.Decision.signed_in(SimpleNamespace(subject=7, name="", claims={}))  # type: ignore[arg-type]


def test_nothing_that_is_printed_holds_a_secret(server: native.Server, host: Host) -> None:
    answer = drive(authorize(server), host)
    assert code_of(answer) not in repr(answer) + repr(answer.response) + repr(answer.events)  # type: ignore[union-attr]
    request = native.FetchRequest("https://a.example", headers=[("authorization", "Bearer secret")], body=b"secret")
    assert "secret" not in repr(request)
    write = native.Write("k", None, 1, b"secret", 2)
    assert "secret" not in repr(write) + repr(write.record)
    assert "secret" not in repr(native.Decision.page("secret"))


def test_the_table_of_refusals_can_be_read() -> None:
    table = native.refusals()
    assert len(table) > 20
    assert len({refusal.id for refusal in table}) == len(table)
    for refusal in table:
        assert native.explain(refusal.id) == refusal
        assert refusal.sentence
        assert refusal.advice
        assert refusal.specification
    assert native.explain("no.such") is None


def test_paths_and_whose_they_are(server: native.Server) -> None:
    assert {"/token", "/authorize", "/.well-known/oauth-authorization-server"} <= set(server.paths())
    assert server.owns("/token")
    assert not server.owns("/tokens")
    assert (server.issuer, server.resources) == ("http://127.0.0.1:8787", [RESOURCE])
    challenge = server.challenge(RESOURCE, ["notes:write"])
    assert challenge.status == 403
    assert b'scope="notes:write"' in dict(challenge.headers)[b"www-authenticate"]


def test_values_cannot_be_changed(server: native.Server) -> None:
    for value, name in [(native.Record(1, b"", 2), "version"), (native.Write("k", None, 1, b"", 2), "expect"), (at_decide(server).step, "question")]:
        with pytest.raises(AttributeError):
            setattr(value, name, 1)


def test_many_threads_hammer_one_server_and_every_race_has_one_winner() -> None:
    server, host = make_server(code_race_seconds=0), Host()
    codes = [code_of(drive(authorize(server), host)) for _ in range(24)]
    start = threading.Barrier(8)

    def work(_: int) -> list[int]:
        start.wait()
        statuses = []
        for code in codes:
            answer = drive(redeem(server, code), host)
            assert isinstance(answer, native.Answer)
            statuses.append(answer.response.status)
        return statuses

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    for statuses in zip(*results, strict=True):
        assert sorted(statuses)[1:] == [400] * 7
        assert min(statuses) == 200


def test_many_threads_that_answer_one_exchange_do_no_harm(server: native.Server) -> None:
    for _ in range(30):
        exchange = at_load(server)
        step = exchange.step
        assert isinstance(step, native.Load)
        keys = len(step.keys)

        def work(_: int, exchange: native.Exchange = exchange, keys: int = keys) -> bool:
            try:
                exchange.loaded([None] * keys)
            except MisuseError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(work, range(16))) == 1
        assert isinstance(exchange.step, native.Done)


def test_a_budget_is_shared_by_threads() -> None:
    budget = native.Budget()
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: budget.admit("k", 100, 60, NOW), range(1000)))
    assert sum(admitted) == 100
    assert budget.admit("k", 100, 60, NOW + 60)


def test_exchanges_leak_nothing(server: native.Server, host: Host) -> None:
    token = tokens(server, host)["access_token"]

    def objects() -> int:
        for _ in range(200):
            drive(check(server, token), host)
        gc.collect()
        return len(gc.get_objects())

    objects()
    assert objects() - objects() in range(-20, 20)


def test_the_redirect_is_the_registered_one(server: native.Server, host: Host) -> None:
    answer = drive(authorize(server), host)
    assert dict(answer.response.headers)[b"location"].startswith(REDIRECT.encode())  # type: ignore[union-attr]

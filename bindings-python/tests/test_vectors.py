"""The transcript vectors, replayed through the glue: the same bytes and the same refusals as in Rust.

A vector holds what goes into an exchange (configuration, keys, instant, seed, call, answers) and what comes out of it
(what it asks, how it ends). The first is given to the core, the second is compared with what the core says.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lockstep_oauth import _native as native
from lockstep_oauth.types import User

VECTORS = Path(__file__).resolve().parents[2] / "conformance" / "vectors"
MANIFEST: dict[str, Any] = json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8"))

Json = Any


def as_bytes(value: Json) -> bytes:
    """Bytes are text where they are UTF-8, and ``{"base64url": …}`` where they are not."""
    if isinstance(value, str):
        return value.encode()
    encoded: str = value["base64url"]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def as_json(value: bytes) -> Json:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64url": base64.urlsafe_b64encode(value).rstrip(b"=").decode()}


def raw(headers: Json) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), as_bytes(value)) for name, value in headers]


def begin(server: native.Server, exchange: Json) -> native.Exchange:
    call, now, seed = exchange["call"], exchange["env"]["now"], as_bytes({"base64url": exchange["env"]["seed"]})
    if call["kind"] == "http":
        query, headers, body = as_bytes(call["query"]), raw(call["headers"]), as_bytes(call["body"])
        return server.handle(call["method"], call["path"], query, headers, body, call["peer"], now, seed)
    if call["kind"] == "check":
        query, headers = as_bytes(call["query"]), raw(call["headers"])
        return server.check(headers, query, call["resource"], call["scopes"], call["peer"], now, seed)
    assert call["kind"] == "operate"
    if call["operation"] == "issue_personal":
        wanted = [call[name] for name in ("subject", "name", "claims", "resource", "scopes", "expires_in")]
        return server.issue_personal(*wanted, now, seed)
    if call["operation"] == "revoke_grant":
        return server.revoke_grant(call["subject"], call["grant_id"], now, seed)
    assert call["operation"] == "sign_out_everywhere"
    return server.sign_out_everywhere(call["subject"], now, seed)


QUESTIONS = {
    "SignInQuestion": ("sign_in", ("return_to", "client_id", "client_name", "scopes", "resource")),
    "ConsentQuestion": (
        "consent",
        ("client_id", "client_name", "client_host", "redirect_host", "redirect_uri", "loopback", "known", "resource")
        + ("user_name", "action"),
    ),
    "RefreshQuestion": ("refresh", ("subject", "client_id", "grant_id")),
    "TokenQuestion": ("token", ("token",)),
    "AdmitQuestion": ("admit", ("key", "limit", "period_seconds")),
}


def asked(step: Any) -> Json:
    """What a step asks, as the vectors write it."""
    if isinstance(step, native.Load):
        return {"load": step.keys}
    if isinstance(step, native.Commit):
        write = step.write
        labels = {"subject": write.subject, "client": write.client}
        written = {name: getattr(write, name) for name in ("key", "expect", "version", "expires_at")}
        return {"commit": {**written, "value": as_json(write.value), "labels": labels}}
    if isinstance(step, native.Fetch):
        request = step.request
        wanted = {name: getattr(request, name) for name in ("method", "url", "limit_bytes", "timeout_ms", "addresses")}
        headers = [[name.decode().lower(), value.decode()] for name, value in request.headers]
        admission = dict(zip(("key", "limit", "period_seconds"), request.admission, strict=True))
        return {"fetch": {**wanted, "headers": headers, "body": as_json(request.body), "admission": admission}}
    assert isinstance(step, native.Decide), step
    name, members = QUESTIONS[type(step.question).__name__]
    question = {"question": name, **{member: getattr(step.question, member) for member in members}}
    if isinstance(step.question, native.ConsentQuestion):
        shown = [{"name": s.name, "description": s.description, "optional": s.optional} for s in step.question.scopes]
        question |= {"scopes": shown, "hidden": [list(pair) for pair in step.question.hidden]}
    return {"decide": question}


def decision(answer: Json) -> native.Decision:
    make = getattr(native.Decision, answer["decision"])
    arguments = {name: value for name, value in answer.items() if name != "decision"}
    if "user" in arguments:
        arguments["user"] = User(**arguments["user"])
    made: native.Decision = make(**arguments)
    return made


def go_on(exchange: native.Exchange, turn: Json) -> Any:
    """Answers the present step as the vector does."""
    if "failed" in turn:
        return exchange.load_failed() if "load" in turn else exchange.decide_failed()
    if "load" in turn:
        records = [r and native.Record(r["version"], as_bytes(r["value"]), r["expires_at"]) for r in turn["loaded"]]
        return exchange.loaded(records)
    if "commit" in turn:
        return exchange.committed(turn["committed"])
    if "decide" in turn:
        return exchange.decided(decision(turn["decided"]))
    fetched = turn["fetched"]
    if "over_budget" in fetched:
        return exchange.fetch_over_budget()
    if "failed" in fetched:
        return exchange.fetch_failed(fetched["failed"])
    return exchange.fetched(fetched["status"], raw(fetched["headers"]), as_bytes(fetched["body"]))


def ended(outcome: Any) -> Json:
    """How an exchange ended, as the vectors write it."""
    if isinstance(outcome, native.Allowed):
        names = ("subject", "client_id", "resource", "claims", "grant_id", "expires_at", "kind")
        identity = {name: getattr(outcome.identity, name) for name in names}
        return {"allowed": {**identity, "scopes": list(outcome.identity.scopes)}}
    told = [json.loads(event.to_json()) for event in outcome.events]
    if isinstance(outcome, native.Operated):
        issued = {name: getattr(outcome, name) for name in ("token", "grant_id", "expires_at")}
        return {"operated": outcome.kind, **(issued if outcome.kind == "issued" else {}), "events": told}
    assert isinstance(outcome, native.Answer)
    response = outcome.response
    headers = [[name.decode(), value.decode()] for name, value in response.headers]
    answered = {"status": response.status, "headers": headers, "body": as_json(response.body)}
    return {**answered, "refusal": outcome.refusal, "events": told}


def lowered(value: Json) -> Json:
    """The same with lower-case header names: the glue gives them as ASGI wants them."""
    if isinstance(value, dict) and "headers" in value:
        return {**value, "headers": [[name.lower(), text] for name, text in value["headers"]]}
    return value


def replay(vector: Json) -> None:
    exchanges = vector.get("exchanges", [vector])
    moves = [index for index, exchange in enumerate(exchanges) for _ in range(len(exchange["steps"]) + 1)]
    order = vector.get("order", moves)
    assert sorted(order) == moves, "the order names each start and each step once"
    lanes: list[tuple[native.Exchange, int] | None] = [None] * len(exchanges)
    for lane in order:
        exchange, begun = exchanges[lane], lanes[lane]
        if begun is None:
            config, keys = exchange.get("config", vector["config"]), exchange.get("keys", vector["keys"])
            lanes[lane] = begin(native.Server(json.dumps(config), keys), exchange), 0
            continue
        running, position = begun
        turn = exchange["steps"][position]
        expected = {name: lowered(turn[name]) for name in ("load", "commit", "fetch", "decide") if name in turn}
        assert asked(running.step) == expected
        go_on(running, turn)
        lanes[lane] = running, position + 1
    for exchange, begun in zip(exchanges, lanes, strict=True):
        assert begun is not None
        step = begun[0].step
        assert isinstance(step, native.Done), step
        assert ended(step.outcome) == lowered(exchange["outcome"])


@pytest.mark.parametrize("area", MANIFEST["areas"])
def test_every_vector_replays(area: str) -> None:
    replayed = 0
    for name in (name for name in MANIFEST["vectors"] if name.startswith(f"{area}/")):
        vector = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        assert vector["id"] == name
        try:
            replay(vector)
        except AssertionError as difference:
            raise AssertionError(f"{name}: {difference}") from difference
        replayed += 1
    assert replayed == MANIFEST["areas"][area]


def test_the_manifest_names_every_file() -> None:
    files = {path.relative_to(VECTORS).with_suffix("").as_posix() for path in VECTORS.glob("*/*.json")}
    assert files == set(MANIFEST["vectors"])
    assert len(MANIFEST["vectors"]) == MANIFEST["count"] == sum(MANIFEST["areas"].values())


def test_every_refusal_of_a_vector_is_explained() -> None:
    known = {refusal.id for refusal in native.refusals()}
    told = set()
    for name in MANIFEST["vectors"]:
        vector = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        told |= {exchange["outcome"].get("refusal") for exchange in vector.get("exchanges", [vector])}
    assert told - {None} == known

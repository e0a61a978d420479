"""F: refresh rotation, reuse and races. W is the retry window."""

import asyncio
import time

from .. import expect
from ..case import case, check, not_applicable, row
from ..suite import Tokens
from .c import flipped, signed_out_everywhere


def successor(answer):
    value = expect.token_ok(answer)
    check(value.get("refresh_token"), "a refresh token in every answer to a refresh", value.keys())
    return value["refresh_token"]


def tokens_of(old, answer):
    value = expect.token_ok(answer)
    return Tokens(value["access_token"], value.get("refresh_token", ""), old.client, old.resource, value)


def need_window(s):
    s.need(s.retry_window > 0, "strict mode: the retry window is 0")


@case("F-01", "F0 is OK: a new refresh token, a live access token, scope unchanged", gate=1)
async def rotated(s):
    first = await s.tokens()
    second = await s.refreshed(first)
    check(second.refresh_token != first.refresh_token, "another refresh token", "the same")
    check(second.access_token != first.access_token, "another access token", "the same")
    check(set(second.answer.get("scope", first.answer.get("scope", "")).split()) == set(first.answer.get("scope", "").split()), "the same scope", second.answer.get("scope"))
    await expect.alive(s, second)


@case("F-02", "the old token again after W is invalid_grant and revokes the family", gate=1)
async def replayed_late(s):
    first = await s.tokens()
    second = await s.refreshed(first)
    await s.retry_window_over()
    expect.token_error(await s.refresh(first), "invalid_grant")
    await expect.revoked(s, second)


@case("F-02b", "a revoked family does not touch another family of the same client and user", gate=1)
async def other_device(s):
    other = await s.tokens()
    first = await s.tokens()
    third = await s.refreshed(await s.refreshed(first))
    expect.token_error(await s.refresh(first), "invalid_grant")
    await expect.revoked(s, third)
    await expect.alive(s, other)


@case("F-03", "the old token again inside W, successor unused, is answered with the same successor", gate=1)
async def repeated(s):
    need_window(s)
    first = await s.tokens()
    second = await s.refreshed(first)
    for _ in range(3):
        check(successor(await s.refresh(first)) == second.refresh_token, "SAME", "another successor")
    await expect.alive(s, second)


@case("F-04", "the old token inside W, successor already used, is invalid_grant and revokes", gate=1)
async def overtaken(s):
    first = await s.tokens()
    second = await s.refreshed(first)
    third = await s.refreshed(second)
    expect.token_error(await s.refresh(first), "invalid_grant")
    await expect.revoked(s, third)


async def all_same(s, tokens, nodes=(None,)):
    started = time.monotonic()
    answers = await asyncio.gather(*(s.refresh(tokens, node=nodes[i % len(nodes)]) for i in range(32)))
    s.need(time.monotonic() - started < s.retry_window or s.retry_window == 0, "32 refreshes took longer than the retry window on this machine")
    good = [a for a in answers if a.status == 200]
    if s.retry_window > 0:
        check(len(good) == 32, "32 OK", f"{len(good)} OK; the first other: {next((str(a) for a in answers if a.status != 200), '')}")
        seen = {successor(a) for a in good}
        check(len(seen) == 1, "all SAME", f"{len(seen)} successors")
        await expect.alive(s, tokens_of(tokens, good[0]))
    else:
        check(len(good) == 1, "exactly 1 OK", f"{len(good)} OK")
        # Whoever looked before the winner wrote has lost a race, and ends nothing; whoever comes later ends the grant.
        # How many of the 32 were late depends on the machine, so one more comes when all is over.
        late = await s.refresh(tokens)
        check(late.status == 400 and late.error() == "invalid_grant", "the token that was used is refused", late)
        await expect.revoked(s, tokens_of(tokens, good[0]))


@case("F-05", "32 parallel refreshes all get one successor, and it works", gate=1, alone=True)
async def parallel(s):
    need_window(s)
    await all_same(s, await s.tokens())


@case("F-06", "with W = 0, 32 parallel refreshes have one winner, and another use after them ends the grant", gate=1, alone=True)
async def strict(s):
    s.need(s.retry_window == 0, "the server runs with a retry window")
    await all_same(s, await s.tokens())


@case("F-07", "32 parallel refreshes over several nodes are as on one", gate=1, alone=True)
async def over_nodes(s):
    s.need(s.nodes, "no --node was given")
    await all_same(s, await s.tokens(), (None, *s.nodes))


@case("F-08", "five generations of 8 parallel refreshes each: one lineage, no logout", gate=1, alone=True)
async def generations(s):
    need_window(s)
    tokens = await s.tokens()
    for generation in range(5):
        answers = await asyncio.gather(*(s.refresh(tokens) for _ in range(8)))
        seen = {successor(a) for a in answers}
        check(len(seen) == 1, f"one successor in generation {generation + 2}", f"{len(seen)}")
        tokens = tokens_of(tokens, answers[0])
    await expect.alive(s, tokens)


not_applicable("F-09", "a fail-over that lost the rotation refuses the successor without 5xx", "needs storage fault injection")
not_applicable("F-10", "a fail-over that lost the rotation lets the old token go on alone", "needs storage fault injection")


@case("F-11", "the grandparent token is invalid_grant and revokes, inside W too", gate=1)
async def grandparent(s):
    tokens = [await s.tokens()]
    for _ in range(2):
        tokens.append(await s.refreshed(tokens[-1]))
    expect.token_error(await s.refresh(tokens[0]), "invalid_grant")
    await expect.revoked(s, tokens[-1])


@case("F-12", "F0 with client_id of B is invalid_grant and leaves the family alone", gate=1)
async def foreign_client(s):
    tokens = await s.tokens()
    expect.token_error(await s.refresh(tokens, client_id=s.client("other").client_id), "invalid_grant")
    await expect.alive(s, tokens)


@case("F-12b", "an old token presented by B neither works nor revokes", gate=1)
async def foreign_replay(s):
    first = await s.tokens()
    third = await s.refreshed(await s.refreshed(first))
    expect.token_error(await s.refresh(first, client_id=s.client("other").client_id), "invalid_grant")
    await expect.alive(s, third)


@case("F-13", "a confidential client's refresh token without authentication is 401, and stays good")
async def unauthenticated(s):
    for name in ("confidential", "jwt"):
        tokens = await s.tokens(name)
        expect.token_401(await s.wire.form(s.url("token"), s.f0(tokens)))
        await expect.alive(s, tokens)


@case("F-14", "a scope wider than granted is invalid_scope and does not rotate")
async def wider(s):
    tokens = await s.tokens(scopes=[s.fixture["scopes"]["offline"]])
    expect.token_error(await s.refresh(tokens, scope=f"{s.read_scope} {s.write_scope}"), "invalid_scope")
    second = await s.refreshed(tokens)
    check(s.write_scope not in second.answer.get("scope", "").split(), "the granted scope", second.answer.get("scope"))


@case("F-15", "a narrower scope gives a narrower access token, and the next refresh has the whole grant again")
async def narrower(s):
    tokens = await s.tokens(resource="api")
    narrow = await s.refreshed(tokens, scope=s.read_scope)
    check(s.write_scope not in narrow.answer.get("scope", s.write_scope).split(), "the narrower scope in the answer", narrow.answer.get("scope"))
    expect.resource_403(s, await s.call_write(narrow.access_token, resource="api"), s.write_scope, resource="api")
    whole = await s.refreshed(narrow)
    check(s.write_scope in whole.answer.get("scope", s.write_scope).split(), "the whole grant", whole.answer.get("scope"))


@case("F-16", "another resource than the approved one is invalid_target and does not rotate")
async def other_resource(s):
    tokens = await s.tokens()
    expect.token_error(await s.refresh(tokens, resource=s.resource("api")), "invalid_target")
    expect.token_error(await s.refresh(tokens, resource="https://unknown.example/"), "invalid_target")
    await expect.alive(s, tokens)


@case("F-17", "a refresh token as Bearer at the resource is invalid_token, and stays good")
async def as_bearer(s):
    tokens = await s.tokens()
    expect.resource_401(s, await s.call(tokens.refresh_token), "invalid_token")
    await expect.alive(s, tokens)


@case("F-18", "an access token as refresh_token is invalid_grant, and stays good")
async def access_as_refresh(s):
    tokens = await s.tokens()
    expect.token_error(await s.refresh(tokens, refresh_token=tokens.access_token), "invalid_grant")
    await expect.alive(s, tokens)


not_applicable("F-19", "idle and absolute expiry end a family", "needs the server's clock; the core takes time as an argument and its tests move it")


@case("F-20", "F0 with an unknown client_id is 401, without client_id it is refused, and the family is left alone")
async def unknown_client(s):
    tokens = await s.tokens()
    expect.token_401(await s.refresh(tokens, client_id="nobody"))
    expect.refused(await s.refresh(tokens, drop="client_id"), "invalid_request")
    await expect.alive(s, tokens)


@case("F-21", "after a revocation by reuse no generation of the family comes back", gate=1)
async def stays_dead(s):
    tokens = [await s.tokens()]
    for _ in range(3):
        tokens.append(await s.refreshed(tokens[-1]))
    expect.token_error(await s.refresh(tokens[0]), "invalid_grant")
    for each in (*tokens, *reversed(tokens)):
        expect.token_error(await s.refresh(each), "invalid_grant")
        await expect.access_dead(s, each)


@case("F-22", "a refresh after the user signed out everywhere is invalid_grant", alone=True)
async def withdrawn(s):
    s.need(s.fixture.get("account", {}).get("sign_out_everywhere"), "the fixture names no account.sign_out_everywhere")
    mine, theirs = await s.tokens(user=s.users[0]), await s.tokens(user=s.users[1])
    await signed_out_everywhere(s, s.users[1])
    await expect.revoked(s, theirs)
    await expect.alive(s, mine)
    await expect.alive(s, await s.tokens(browser=await s.fresh_browser(s.users[1])))


@case("F-22b", "a refresh of a deleted client is 401")
async def deleted_client(s):
    s.need_management()
    client = await s.registered()
    tokens = await s.tokens(client)
    await s.manage("DELETE", client)
    expect.token_401(await s.refresh(tokens))
    await expect.access_dead(s, tokens)


@case("F-23", "without offline_access there is no refresh token, when policy asks for it")
async def without_offline(s):
    s.need(s.fixture.get("refresh_needs_offline_access"), "the fixture does not say refresh_needs_offline_access")
    code = await s.code(scope=s.read_scope)
    value = expect.token_ok(await s.redeem(code))
    check("refresh_token" not in value, "no refresh_token", value.keys())


@case("F-24", "refresh_token twice is invalid_request and does not rotate")
async def twice(s):
    tokens = await s.tokens()
    expect.token_error(await s.refresh(tokens, add=[("refresh_token", tokens.refresh_token)]), "invalid_request")
    await expect.alive(s, tokens)


@case("F-25", "no refresh_token, or an empty one, is invalid_request")
async def missing(s):
    tokens = await s.tokens()
    expect.token_error(await s.refresh(tokens, drop="refresh_token"), "invalid_request")
    expect.token_error(await s.refresh(tokens, refresh_token=""), "invalid_request")


async def mangled(s, mangle):
    tokens = await s.tokens()
    wrong = mangle(tokens.refresh_token)
    s.need(wrong != tokens.refresh_token, "this change leaves the token as it is")
    expect.token_error(await s.refresh(tokens, refresh_token=wrong), ("invalid_grant", "invalid_request"))
    await expect.alive(s, tokens)


for number, (what, mangle) in enumerate({
    "with one sign changed": flipped, "truncated": lambda t: t[:-1], "in upper case": str.upper, "with a space after": lambda t: t + " ", "with padding": lambda t: t + "=",
    "with NUL": lambda t: t + "\x00", "in standard base64": lambda t: t.replace("-", "+").replace("_", "/"), "without its prefix": lambda t: t.split("_", 1)[-1] if "_" in t else t[3:],
    "with the last sign's spare bits changed": lambda t: t[:-1] + chr(ord(t[-1]) + 1), "doubled": lambda t: t + t}.items()):
    row(f"F-26.{number}", f"a refresh token {what} is refused and leaves the family alone", mangled, mangle)


@case("F-27", "a token of ten generations ago is invalid_grant, never OK")
async def very_old(s):
    tokens = [await s.tokens()]
    for _ in range(10):
        tokens.append(await s.refreshed(tokens[-1]))
    expect.token_error(await s.refresh(tokens[0]), "invalid_grant")


not_applicable("F-28", "a DPoP-bound token needs its key", "DPoP is not offered")


@case("F-29", "a client whose document now says private_key_jwt cannot refresh with none")
async def changed_method(s):
    from ..jose import Key
    async with s.document_host() as host:
        from ..documents import json_reply
        path = "/oauth/client.json"
        # no-store, so that a server which obeys HTTP caching must look again
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        host.serve(path, json_reply(host.document(path), headers=headers))
        client = s.document_client(host, host.origin + path)
        tokens = await s.tokens(client)
        before = host.count(path)
        host.serve(path, json_reply(host.document(path, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [Key.ec().jwk]}), headers=headers))
        answer = await s.refresh(tokens)
        s.need(host.count(path) > before, "the server answered from its cache of the document (its minimum age)")
        expect.token_401(answer)


@case("F-30", "the tokens of user 1 are never given to user 2 of the same client")
async def two_users(s):
    mine, theirs = await s.tokens(user=s.users[0]), await s.tokens(user=s.users[1])
    check(mine.refresh_token != theirs.refresh_token, "different tokens", "the same")
    third = await s.refreshed(await s.refreshed(mine))
    expect.token_error(await s.refresh(mine), "invalid_grant")
    await expect.revoked(s, third)
    await expect.alive(s, theirs)


not_applicable("F-31", "a storage dump cannot be turned into a token", "needs the store; the storage kit looks into it")
not_applicable("F-32", "a retry inside W after a restart is answered with the same successor", "restarting the server is not this suite's to do; tests/ of the example does")


@case("F-33", "n and n+1 refreshed at once: one lineage at most, no 5xx", gate=1)
async def both_at_once(s):
    first = await s.tokens()
    second = await s.refreshed(first)
    answers = await asyncio.gather(*(s.refresh(first if i % 2 else second) for i in range(16)))
    from_first = {successor(a) for a in answers[1::2] if a.status == 200}
    from_second = {successor(a) for a in answers[0::2] if a.status == 200}
    for answer in answers:
        if answer.status != 200:
            expect.token_error(answer, "invalid_grant")
    check(from_first <= {second.refresh_token}, "the old token only ever repeats its successor", f"{len(from_first)} others")
    check(len(from_second) <= 1, "one next generation", f"{len(from_second)}")


@case("F-34", "refreshing while the family is being revoked: nothing lives after the revocation was acknowledged", gate=1)
async def revoked_meanwhile(s):
    tokens = await s.tokens()
    answers = await asyncio.gather(*(s.refresh(tokens) for _ in range(8)), s.revoke(tokens.refresh_token))
    check(answers[-1].status == 200, "200 from /revoke", answers[-1])
    for answer in answers[:-1]:
        if answer.status == 200:
            await expect.revoked(s, tokens_of(tokens, answer))
    await expect.revoked(s, tokens)


@case("F-35", "a repeat inside W with a narrower scope: refused, or a narrower access token with the same refresh token")
async def narrower_repeat(s):
    need_window(s)
    first = await s.tokens(resource="api")
    second = await s.refreshed(first)
    answer = await s.refresh(first, scope=s.read_scope)
    if answer.status != 200:
        expect.token_error(answer, ("invalid_request", "invalid_grant"))
        await expect.alive(s, second)
        return "refused"
    check(successor(answer) == second.refresh_token, "SAME", "another successor")
    expect.resource_403(s, await s.call_write(expect.token_ok(answer)["access_token"], resource="api"), s.write_scope, resource="api")


@case("F-36", "a repeat inside W for another resource is refused and changes nothing")
async def other_resource_repeat(s):
    need_window(s)
    first = await s.tokens()
    second = await s.refreshed(first)
    expect.token_error(await s.refresh(first, resource=s.resource("api")), ("invalid_target", "invalid_request"))
    await expect.alive(s, second)


@case("F-37", "an access token of the generation before is still accepted after two rotations")
async def access_outlives(s):
    first = await s.tokens()
    await s.refreshed(await s.refreshed(first))
    answer = await s.call(first.access_token)
    check(answer.status == 200, "valid until its own expiry", answer)


not_applicable("F-38", "10^6 refreshes of one family keep the record bounded", "needs the store; the core's tests measure the record")
not_applicable("F-39", "a store that asks for a retry is retried a bounded number of times, then 503", "needs storage fault injection")

"""V: revocation and introspection."""

import asyncio

from .. import expect
from ..case import case, check, not_applicable, row
from ..suite import basic


def empty_200(answer):
    check(answer.status == 200 and not answer.body.strip(b" \r\n{}"), "200 with an empty body", answer)


@case("V-01", "revoking the refresh token is 200 and kills refresh and access tokens")
async def refresh_token(s):
    tokens = await s.tokens()
    empty_200(await s.revoke(tokens.refresh_token))
    await expect.revoked(s, tokens)


@case("V-01b", "revoking an old generation's refresh token kills the family too, or leaves it whole")
async def old_generation(s):
    first = await s.tokens()
    second = await s.refreshed(first)
    empty_200(await s.revoke(first.refresh_token))
    answer = await s.refresh(second)
    if answer.status == 200:
        return "the family stays"
    await expect.revoked(s, second)
    return "the family is revoked"


@case("V-02", "revoking an access token kills that one; the refresh token survives")
async def access_token(s):
    s.need(s.opaque, "JWT access tokens cannot be revoked one by one")
    tokens = await s.tokens()
    empty_200(await s.revoke(tokens.access_token))
    await expect.access_dead(s, tokens)
    await expect.alive(s, await s.refreshed(tokens))


for number, token in enumerate(("unknown", "x", "A" * 43, "a.b.c", "../..", "\x00", "é", "A" * 20_000)):
    row(f"V-03.{number}", f"revoking {ascii(token[:12])} is 200, empty", lambda s, t: _unknown(s, t), token)


async def _unknown(s, token):
    empty_200(await s.revoke(token))


@case("V-03.twice", "revoking twice, also 8 times at once, is 200 each time")
async def twice(s):
    tokens = await s.tokens()
    for answer in await asyncio.gather(*(s.revoke(tokens.refresh_token) for _ in range(8))):
        empty_200(answer)
    empty_200(await s.revoke(tokens.refresh_token))
    await expect.revoked(s, tokens)


@case("V-04", "a token of B sent by A is not revoked")
async def foreign(s):
    tokens = await s.tokens("public")
    for token in (tokens.refresh_token, tokens.access_token):
        for name in ("other", "confidential", "jwt"):
            answer = await s.revoke(token, name)
            check(answer.status in (200, 400), "200, or 400", answer)
    await expect.alive(s, tokens)


for hint in ("access_token", "refresh_token", "id_token", "x", "<script>"):
    row(f"V-05.{hint.strip('<>')}", f"token_type_hint={hint} never keeps a refresh token from being revoked", lambda s, h: _hint(s, h), hint)


async def _hint(s, hint):
    tokens = await s.tokens()
    empty_200(await s.revoke(tokens.refresh_token, token_type_hint=hint))
    await expect.revoked(s, tokens)


@case("V-06", "no token, or an empty one, is invalid_request")
async def missing(s):
    client = s.client("public")
    expect.token_error(await s.wire.form(s.url("revoke"), [("client_id", client.client_id)]), "invalid_request")
    expect.token_error(await s.revoke(""), "invalid_request")


@case("V-07a", "token twice is invalid_request and revokes nothing")
async def token_twice(s):
    tokens = await s.tokens()
    expect.token_error(await s.revoke(tokens.refresh_token, add=[("token", "x")]), "invalid_request")
    await expect.alive(s, tokens)


@case("V-07b", "GET /revoke is 405 and a JSONP callback is ignored")
async def by_get(s):
    tokens = await s.tokens()
    answer = await s.wire.send("GET", f"{s.url('revoke')}?token={tokens.refresh_token}&client_id={tokens.client.client_id}&callback=steal")
    check(answer.status == 405 and "steal" not in answer.text, "405", answer)
    await expect.alive(s, tokens)
    answer = await s.revoke("unknown", callback="steal")
    check("steal" not in answer.text, "callback ignored", answer)


not_applicable("V-08", "a store failure is 503, not 200", "needs storage fault injection")


@case("V-09", "a confidential client revokes only with its authentication")
async def unauthenticated(s):
    tokens = await s.tokens("confidential")
    expect.token_401(await s.wire.form(s.url("revoke"), [("token", tokens.refresh_token), ("client_id", tokens.client.client_id)]))
    wrong = await s.wire.form(s.url("revoke"), [("token", tokens.refresh_token)], headers=[("Authorization", basic(tokens.client.client_id, "wrong"))])
    expect.token_401(wrong, basic=True)
    await expect.alive(s, tokens)
    empty_200(await s.revoke(tokens.refresh_token, "confidential"))


@case("V-10", "no client at all, or an unknown one, revokes nothing")
async def nobody(s):
    tokens = await s.tokens()
    for pairs in ([("token", tokens.refresh_token)], [("token", tokens.refresh_token), ("client_id", "nobody")]):
        expect.refused(await s.wire.form(s.url("revoke"), pairs), "invalid_request")
    await expect.alive(s, tokens)


@case("V-11", "revoking a code's grant before redemption: the code is refused, or /revoke ignored it")
async def code_revoked(s):
    code = await s.code()
    empty_200(await s.revoke(code.code))
    answer = await s.redeem(code)
    check(answer.status in (200, 400), "OK or invalid_grant", answer)
    return f"the code afterwards: {answer.status}"


@case("V-12", "revoking one family leaves the other of the same client and user")
async def other_family(s):
    one, two = await s.tokens(), await s.tokens()
    empty_200(await s.revoke(one.refresh_token))
    await expect.revoked(s, one)
    await expect.alive(s, two)


# -- introspection --------------------------------------------------------------------------------------------------


def inactive(answer):
    check(answer.status == 200 and answer.json() == {"active": False}, 'exactly {"active":false}', answer)
    check("no-store" in (answer.header("cache-control") or ""), "no-store", answer.headers)


@case("V-20", "a live access token is active: true with client, scope, audience, issuer and expiry")
async def active(s):
    client = s.need_introspection()
    tokens = await s.tokens(client)
    value = (await s.introspect(tokens.access_token)).json()
    check(value.get("active") is True, "active: true", value)
    check(value.get("client_id") == client.client_id and value.get("iss") == s.issuer and value.get("aud") in (s.resource("mcp"), [s.resource("mcp")]), "client_id, iss, aud", value)
    check(s.read_scope in value.get("scope", "").split() and isinstance(value.get("exp"), int) and value.get("sub"), "scope, exp, sub", value)


for number, token in enumerate(("unknown", "x", "a.b.c", "\x00", "é", "A" * 20_000)):
    row(f"V-21.{number}", f"introspecting {ascii(token[:12])} is exactly inactive", lambda s, t: _inactive(s, t), token)


async def _inactive(s, token):
    s.need_introspection()
    inactive(await s.introspect(token))


@case("V-22", "a refresh token, a code and a revoked access token are exactly inactive")
async def other_kinds(s):
    client = s.need_introspection()
    tokens, code = await s.tokens(client), await s.code(client)
    inactive(await s.introspect(tokens.refresh_token))
    inactive(await s.introspect(tokens.refresh_token, token_type_hint="refresh_token"))
    inactive(await s.introspect(code.code))
    empty_200(await s.revoke(tokens.refresh_token, client))
    inactive(await s.introspect(tokens.access_token))


@case("V-23", "a public client, an unknown one and nobody introspect nothing: 401")
async def public(s):
    s.need_introspection()
    tokens = await s.tokens()
    for name in ("public", "other"):
        expect.token_401(await s.introspect(tokens.access_token, s.client(name)))
    for pairs in ([("token", tokens.access_token)], [("token", tokens.access_token), ("client_id", "nobody")]):
        expect.refused(await s.wire.form(s.url("introspect"), pairs), "invalid_request")


not_applicable("V-24", "known and unknown tokens take the same time", "needs timing statistics; a forged token never reaches the store (core's tests)")


@case("V-25", "wrong credentials at /introspect are 401, also with a live token as bearer")
async def wrong_credentials(s):
    client = s.need_introspection()
    tokens = await s.tokens(client)
    answer = await s.wire.form(s.url("introspect"), [("token", tokens.access_token)], headers=[("Authorization", basic(client.client_id, "wrong"))])
    expect.token_401(answer, basic=True)
    answer = await s.wire.form(s.url("introspect"), [("token", tokens.access_token)], headers=[("Authorization", f"Bearer {tokens.access_token}")])
    check(answer.status in (400, 401) and "sub" not in answer.text, "401", answer)


@case("V-26", "no token at /introspect is invalid_request")
async def no_token(s):
    client = s.need_introspection()
    answer = await s.wire.form(s.url("introspect"), [], headers=[("Authorization", client.basic)])
    expect.token_error(answer, "invalid_request")


@case("V-27", "the answer of /introspect is never for another token than the one asked about, 20 at once")
async def not_mixed(s):
    client = s.need_introspection()
    mine, theirs = await s.tokens(client, user=s.users[0]), await s.tokens(client, user=s.users[1])
    answers = await asyncio.gather(*(s.introspect((mine if n % 2 else theirs).access_token) for n in range(20)))
    subjects = [a.json().get("sub") for a in answers]
    check(len(set(subjects[0::2])) == 1 and len(set(subjects[1::2])) == 1 and subjects[0] != subjects[1], "two subjects, never mixed", set(subjects))

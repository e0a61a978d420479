"""C: code redemption."""

import asyncio
import time

from .. import expect
from ..case import case, check, not_applicable, row
from ..suite import Code, basic
from ..wire import edit, encode

AT_ONCE = 64


async def unspent(s, code):
    return s.keep(code, await s.redeem(code))


@case("C-01", "T0 is OK: no-store, Bearer, expires_in, and a scope that tells what was granted", gate=1)
async def redeemed(s):
    code = await s.code(scope=f"{s.read_scope} {s.write_scope}", scopes=[])
    value = expect.token_ok(await s.redeem(code))
    check("scope" in value, "scope, since less was granted than asked", value.keys())
    check(s.write_scope not in value["scope"].split(), "the unticked scope is not granted", value["scope"])


@case("C-02", "T0 twice: OK, then invalid_grant; after the race window the replay also revokes the tokens of the first", gate=1)
async def replayed(s):
    code = await s.code()
    tokens = s.keep(code, await s.redeem(code))
    expect.token_error(await s.redeem(code), "invalid_grant")
    if s.code_race > 0:
        check((await s.call(tokens.access_token)).status == 200, "the winner keeps its tokens inside the race window", "access token refused")
        await s.code_race_over()
        expect.token_error(await s.redeem(code), "invalid_grant")
    await expect.revoked(s, tokens)


@case("C-02b", "a code replayed after its tokens were refreshed revokes them, inside the race window too", gate=1)
async def replayed_after_refresh(s):
    code = await s.code()
    tokens = await s.refreshed(s.keep(code, await s.redeem(code)))
    expect.token_error(await s.redeem(code), "invalid_grant")
    await expect.revoked(s, tokens)


def winners(answers):
    won = [a for a in answers if a.status == 200]
    for answer in answers:
        if answer.status != 200:
            expect.token_error(answer, "invalid_grant")
    return won


async def parallel(s, requests):
    """The answers of a burst, and whether it ended inside the race window (only then the winner must keep its tokens)."""
    started = time.monotonic()
    answers = await asyncio.gather(*requests)
    return answers, time.monotonic() - started < s.code_race


async def winner_lives(s, code, answer, in_time):
    if not in_time:
        return "the burst outlasted the race window, so that late losers may revoke"
    await expect.alive(s, s.keep(code, answer))


@case("C-03", "64 parallel redemptions have one winner, and 63 invalid_grant", gate=1, alone=True)
async def one_winner(s):
    code = await s.code()
    answers, in_time = await parallel(s, [s.redeem(code) for _ in range(AT_ONCE)])
    won = winners(answers)
    check(len(won) == 1, "exactly 1 OK", f"{len(won)} OK")
    return await winner_lives(s, code, won[0], in_time)


@case("C-04", "64 parallel redemptions over several nodes have one winner", gate=1, alone=True)
async def one_winner_over_nodes(s):
    s.need(s.nodes, "no --node was given")
    code = await s.code()
    nodes = [None, *s.nodes]
    answers, _ = await parallel(s, [s.redeem(code, node=nodes[i % len(nodes)]) for i in range(AT_ONCE)])
    check(len(winners(answers)) == 1, "exactly 1 OK", f"{len(winners(answers))} OK")


not_applicable("C-05", "a commit that reports a timeout is recognised by its own stamp", "needs storage fault injection; the core's model checks it")


@case("C-06", "of 32 right and 32 wrong verifiers at once exactly one right one wins, and its tokens live", gate=1, alone=True)
async def mixed_verifiers(s):
    code = await s.code()
    answers, in_time = await parallel(s, [s.redeem(code, **({} if i % 2 else {"code_verifier": "B" * 43})) for i in range(AT_ONCE)])
    won = winners(answers)
    check(len(won) == 1 and won[0] in answers[1::2], "exactly 1 OK, with the right verifier", f"{len(won)} OK")
    return await winner_lives(s, code, won[0], in_time)


async def harmless_replay(s, change):
    """A spent code presented by someone who cannot prove all of it is denied, and revokes nothing (OAuth 2.1-15 section 7.5.2)."""
    code = await s.code()
    tokens = s.keep(code, await s.redeem(code))
    await s.code_race_over()
    expect.refused(await s.redeem(code, **change), "invalid_grant", "invalid_request")
    await expect.alive(s, tokens)


row("C-07a", "a spent code with a wrong verifier is denied and revokes nothing", harmless_replay, {"code_verifier": "B" * 43}, gate=1)
row("C-07b", "a spent code by another client is denied and revokes nothing", lambda s: harmless_replay(s, {"client_id": s.client("other").client_id}), gate=1)
row("C-07c", "a spent code with another redirect is denied and revokes nothing", lambda s: harmless_replay(s, {"redirect_uri": "http://127.0.0.1/callback"}), gate=1)


async def refused_unspent(s, errors, **change):
    code = await s.code()
    expect.refused(await s.redeem(code, **change), *errors)
    await unspent(s, code)


row("C-08", "T0 with client_id of B is invalid_grant, unspent", lambda s: refused_unspent(s, ["invalid_grant"], client_id=s.client("other").client_id), gate=1)


@case("C-09", "a confidential client's code without its authentication is 401, unspent", gate=1)
async def without_authentication(s):
    code = await s.code("confidential")
    expect.token_401(await s.wire.form(s.url("token"), s.t0(code)))
    expect.token_error(await s.redeem(Code(code.code, s.client("public"), code.redirect, code.resource)), "invalid_grant")
    await unspent(s, code)


row("C-10", "T0 without client_id is refused, unspent", lambda s: refused_unspent(s, ["invalid_request", "invalid_client"], drop="client_id"))
row("C-10b", "T0 with an unknown client_id is 401, unspent", lambda s: _unknown_client(s))


async def _unknown_client(s):
    code = await s.code()
    expect.token_401(await s.redeem(code, client_id="nobody"))
    await unspent(s, code)


row("C-11", "T0 with another registered redirect_uri is invalid_grant, unspent", lambda s: refused_unspent(s, ["invalid_grant"], redirect_uri="http://127.0.0.1/callback"))
row("C-11b", "T0 with an evil redirect_uri is invalid_grant, unspent", lambda s: refused_unspent(s, ["invalid_grant"], redirect_uri="https://evil.example/"))
row("C-11c", "T0 with redirect_uri in another spelling is invalid_grant, unspent", lambda s: refused_unspent(s, ["invalid_grant"], redirect_uri="https://client.example:443/cb"))


@case("C-12", "T0 without redirect_uri is OK (OAuth 2.1 dropped it)")
async def without_redirect(s):
    expect.token_ok(await s.redeem(await s.code(), drop="redirect_uri"))


row("C-13", "T0 for another resource is invalid_target, unspent", lambda s: refused_unspent(s, ["invalid_target"], resource=s.resource("api")))
row("C-13b", "T0 for an unknown resource is invalid_target, unspent", lambda s: refused_unspent(s, ["invalid_target"], resource="https://unknown.example/"))


@case("C-13c", "T0 without resource is for the resource of the authorization request only")
async def without_resource(s):
    code = await s.code()
    tokens = s.keep(code, await s.redeem(code, drop="resource"))
    check((await s.call(tokens.access_token)).status == 200, "the approved resource accepts it", "refused")
    expect.resource_401(s, await s.call(tokens.access_token, resource="api"), "invalid_token", resource="api")


@case("C-14", "two resources in one T0 are refused, or the token is for one only")
async def two_resources(s):
    code = await s.code()
    answer = await s.redeem(code, add=[("resource", s.resource("api"))])
    expect.token_error(answer, ("invalid_target", "invalid_request"))
    await unspent(s, code)


@case("C-15", "a scope in T0 is ignored or invalid_request; never widens")
async def widened(s):
    code = await s.code(scopes=[], scope=s.read_scope, resource="api")
    answer = await s.redeem(code, scope=f"{s.read_scope} {s.write_scope} mcp:admin")
    if answer.status == 200:
        tokens = s.keep(code, answer)
        check(s.write_scope not in tokens.answer.get("scope", "").split(), "the approved scope", tokens.answer.get("scope"))
        expect.resource_403(s, await s.call_write(tokens.access_token, resource="api"), s.write_scope, resource="api")
        return "ignored"
    expect.token_error(answer, ("invalid_request", "invalid_scope"))


def flipped(code):
    middle = len(code) // 2
    return code[:middle] + ("A" if code[middle] != "A" else "B") + code[middle + 1:]


MANGLED = {
    "truncated by 1": lambda c: c[:-1], "extended by 1": lambda c: c + "A", "with one sign changed": flipped, "in upper case": str.upper, "in lower case": str.lower,
    "with a space after": lambda c: c + " ", "with a space before": lambda c: " " + c, "with NUL": lambda c: c + "\x00", "with a line feed": lambda c: c + "\n",
    "URL-encoded twice": lambda c: "".join(f"%{ord(x):02X}" for x in c), "with padding": lambda c: c + "=", "reversed": lambda c: c[::-1],
    "without its prefix": lambda c: c.split("_", 1)[-1] if "_" in c else c[3:], "with the last sign's spare bits changed": lambda c: c[:-1] + chr(ord(c[-1]) + 1), "doubled": lambda c: c + c,
}


async def mangled(s, mangle):
    code = await s.code()
    wrong = mangle(code.code)
    s.need(wrong != code.code, "this change leaves the code as it is")
    expect.token_error(await s.redeem(code, code=wrong), ("invalid_grant", "invalid_request"))
    await unspent(s, code)


for number, (what, mangle) in enumerate(MANGLED.items()):
    row(f"C-16.{number}", f"a code {what} is refused; the real one stays good", mangled, mangle)
for number, (what, value) in enumerate((("1 character", "x"), ("64 KB minus", "A" * 60000), ("JSON", '{"code":1}'), ("a path", "../../code"), ("SQL", "' OR 1=1 --"), ("non-ASCII", "códe"))):
    row(f"C-16.x{number}", f"a made-up code ({what}) is refused", lambda s, v: _made_up(s, v), value)


async def _made_up(s, value):
    client = s.client("public")
    expect.token_error(await s.redeem(Code(value, client, client.redirect, "mcp")), ("invalid_grant", "invalid_request"))


not_applicable("C-17", "a code of issuer 1 at issuer 2 over the same store is invalid_grant", "one base URL is one issuer; the core's own tests hold two")


@case("C-18", "an access token, a refresh token or a ticket as code is invalid_grant")
async def other_kinds(s):
    tokens = await s.tokens()
    shown = await (await s.browser()).consent(s.a0())
    for value in (tokens.access_token, tokens.refresh_token, shown.ticket, dict(shown.form.hidden).get("seal", "x")):
        expect.token_error(await s.redeem(Code(value, tokens.client, tokens.client.redirect, "mcp")), "invalid_grant")
    await expect.alive(s, tokens)


@case("C-19", "a code is refused at the resource, by /introspect and as refresh token")
async def code_elsewhere(s):
    code = await s.code()
    expect.resource_401(s, await s.call(code.code), "invalid_token")
    answer = await s.wire.form(s.url("token"), [("grant_type", "refresh_token"), ("refresh_token", code.code), ("client_id", code.client.client_id)])
    expect.token_error(answer, "invalid_grant")
    if s.fixture.get("introspection_client"):
        check((await s.introspect(code.code)).json() == {"active": False}, '{"active":false}', "active")
    await unspent(s, code)


not_applicable("C-20", "a code of a user who was disabled meanwhile is invalid_grant", "disabling a user is the host's own act; no endpoint does it (C-24 signs the user out everywhere)")


@case("C-21", "a code of a client that was deleted meanwhile is 401")
async def deleted_client(s):
    s.need_management()
    client = await s.registered()
    code = await s.code(client)
    answer = await s.manage("DELETE", client)
    check(answer.status == 204, "204", answer)
    expect.token_401(await s.redeem(code))


@case("C-22", "parts of two codes recombined are invalid_grant", gate=1)
async def recombined(s):
    mine, theirs = await s.code(user=s.users[0]), await s.code("other", user=s.users[1])
    a, b = mine.code, theirs.code
    for cut in sorted({1, 8, 16, len(a) // 4, len(a) // 2, 3 * len(a) // 4, len(a) - 16, len(a) - 1}):
        for value in (a[:cut] + b[cut:], b[:cut] + a[cut:]):
            if value not in (a, b):
                expect.token_error(await s.redeem(mine, code=value), "invalid_grant")
    await unspent(s, mine)
    await unspent(s, theirs)


@case("C-24", "a code whose consent was withdrawn (signed out everywhere) is invalid_grant", alone=True)
async def withdrawn(s):
    s.need(s.fixture.get("account", {}).get("sign_out_everywhere"), "the fixture names no account.sign_out_everywhere")
    code = await s.code(user=s.users[1])
    await signed_out_everywhere(s, s.users[1])
    expect.token_error(await s.redeem(code), "invalid_grant")


async def signed_out_everywhere(s, user):
    browser = await s.fresh_browser(user)
    answer = await browser.post(s.base + s.fixture["account"]["sign_out_everywhere"], [])
    check(answer.status in (200, 204, 302, 303), "signed out everywhere", answer)
    s.forget_session(user)


@case("C-25", "64 codes are distinct, long enough for 128 bits, and share no more than their prefix")
async def entropy(s):
    browser = await s.browser()
    codes = [(await s.code(browser=browser)).code for _ in range(64)]
    check(len(set(codes)) == len(codes), "distinct codes", f"{len(set(codes))} of {len(codes)}")
    tails = [c[-22:] for c in codes]
    check(len(set(tails)) == len(codes) and min(map(len, codes)) >= 22, "at least 22 varying signs", min(codes, key=len))
    starts = {c[:48] for c in codes}
    check(len(starts) == len(codes), "no linkable part at the start beyond prefix and key id", f"{len(starts)} starts of 48 signs")


not_applicable("C-26", "nothing in a dump of the store can be presented", "needs the store; the storage kit looks into it")


@case("C-28", "GET /token is 405 and leaves the code unspent")
async def by_get(s):
    code = await s.code()
    answer = await s.wire.send("GET", s.url("token") + "?" + encode(s.t0(code)))
    check(answer.status == 405 and "POST" in (answer.header("allow") or ""), "405 with Allow: POST", answer)
    await unspent(s, code)


@case("C-28b", "T0 in the query of a POST is refused, unspent")
async def in_query(s):
    code = await s.code()
    expect.refused(await s.wire.form(s.url("token") + "?" + encode(s.t0(code)), []), "invalid_request")
    half = await s.wire.form(s.url("token") + "?" + encode([("code", code.code)]), edit(s.t0(code), drop="code"))
    expect.refused(half, "invalid_request")
    await unspent(s, code)


@case("C-29", "wrong secret is 401 and unspent, then the right one is OK")
async def wrong_secret_first(s):
    code = await s.code("confidential")
    wrong = await s.wire.form(s.url("token"), edit(s.t0(code), drop="client_id"), headers=[("Authorization", basic(code.client.client_id, "wrong"))])
    expect.token_401(wrong, basic=True)
    await unspent(s, code)


@case("C-30", "16 redemptions by A beside 16 by B with A's code: exactly one winner, and it is A", gate=1, alone=True)
async def thief_beside(s):
    code = await s.code()
    answers, in_time = await parallel(s, [s.redeem(code, **({} if i % 2 else {"client_id": s.client("other").client_id})) for i in range(32)])
    won = winners(answers)
    check(len(won) == 1 and won[0] in answers[1::2], "exactly 1 OK, by A", f"{len(won)} OK")
    return await winner_lives(s, code, won[0], in_time)


@case("C-31", "a peer that goes away before the answer leaves at most one family behind")
async def peer_gone(s):
    code = await s.code()
    body = encode(s.t0(code)).encode()
    await s.wire.raw(s.wire.request_bytes("POST", s.path("token"), [("Content-Type", "application/x-www-form-urlencoded")], body), close_at_once=True)
    await asyncio.sleep(0.5)
    first, second = await s.redeem(code), await s.redeem(code)
    check([first.status, second.status].count(200) <= 1, "at most one OK afterwards", f"{first.status} and {second.status}")
    check(second.status == 400, "no OK after an OK", second)


@case("C-32", "one ticket approved twice (a double click) gives the same code or a page; never two codes")
async def double_click(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    answers = await asyncio.gather(*(browser.decide(shown) for _ in range(8)))
    codes = {dict(a.location_pairs()).get("code") for a in answers if a.location}
    check(len(codes) == 1 and None not in codes, "one and the same code", codes or str(answers[0]))
    client = s.client("public")
    code = Code(codes.pop(), client, client.redirect, "mcp")
    await unspent(s, code)
    late = await browser.decide(shown)
    if late.location:
        again = dict(late.location_pairs()).get("code")
        check(again in (None, code.code), "no new code from a used ticket", late)
        if again:
            expect.token_error(await s.redeem(code), "invalid_grant")


for number, value in enumerate(("demo-publi\u212a", "demo\u2010public", "DEMO-PUBLIC", "Demo-public", "demo-public\x00", " demo-public", "demo-public ", "\uff44emo-public", "demo-pub\u017fic", "demo-pub\u200blic")):
    row(f"C-33.{number}", f"client_id {ascii(value)} is not demo-public", lambda s, v: _confusable(s, v), value)


async def _confusable(s, value):
    s.need(s.client("public").client_id == "demo-public", "the fixture's public client has another name")
    code = await s.code()
    expect.refused(await s.redeem(code, client_id=value), "invalid_grant", "invalid_request")
    await unspent(s, code)


@case("C-34", "a denied ticket cannot be approved afterwards, and an approved one denied changes nothing for the client")
async def changed_mind(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    client = s.client("public")
    code = Code(expect.granted(s, await browser.decide(shown), redirect=client.redirect), client, client.redirect, "mcp")
    later = await browser.decide(shown, "deny")
    check("code=" not in (later.location or ""), "no code for a denial", later)
    first = await s.redeem(code)
    check(first.status in (200, 400), "OK or invalid_grant", first)


not_applicable("C-35", "a code whose row was purged is invalid_grant, no 5xx", "needs a broom over the store; the core's tests cover it (made-up codes: C-16.x)")

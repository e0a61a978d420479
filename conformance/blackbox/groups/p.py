"""P: PKCE."""

import hashlib

from .. import expect
from ..case import case, check, not_applicable, row
from ..jose import b64, s256
from ..suite import C0, V0
from ..wire import edit


async def challenge_refused(s, change):
    answer = await s.asks(edit(s.a0(), **change))
    expect.redirected(s, answer, "invalid_request", redirect=s.client("public").redirect)


row("P-01", "no code_challenge is invalid_request", challenge_refused, {"drop": ("code_challenge", "code_challenge_method")}, gate=1)
row("P-01b", "an empty code_challenge is invalid_request", challenge_refused, {"code_challenge": ""}, gate=1)
row("P-02", "code_challenge_method=plain is invalid_request", challenge_refused, {"code_challenge_method": "plain"}, gate=1)
row("P-03", "a challenge without a method (plain by default) is invalid_request", challenge_refused, {"drop": "code_challenge_method"}, gate=1)
for number, method in enumerate(("s256", "S512", "SHA-256", "S256 plain", "none", "S256 ")):
    row(f"P-04.{number}", f"code_challenge_method={method!r} is invalid_request", challenge_refused, {"code_challenge_method": method}, gate=1)
for number, (what, value) in enumerate((
    ("42 characters", C0[:42]), ("44 characters", C0 + "A"), ("128 characters", "A" * 128), ("padding", C0 + "="), ("+", "+" + C0[1:]), ("/", "/" + C0[1:]),
    ("NUL", C0[:42] + "\x00"), ("a space", C0[:42] + " "), ("non-ASCII", C0[:42] + "é"))):
    row(f"P-05.{number}", f"a challenge with {what} is invalid_request", challenge_refused, {"code_challenge": value}, gate=1)


@case("P-05.bits", "a challenge with non-canonical last bits is invalid_request, or matches no verifier", gate=1)
async def non_canonical(s):
    from ..browser import read_consent
    from ..suite import Code
    browser, client = await s.browser(), s.client("public")
    answer = await browser.authorize(s.a0(challenge=C0[:42] + "N"))
    if answer.location:
        expect.redirected(s, answer, "invalid_request", redirect=client.redirect)
        return "refused"
    code = expect.granted(s, await browser.decide(read_consent(answer)), redirect=client.redirect)
    expect.token_error(await s.redeem(Code(code, client, client.redirect, "mcp")), "invalid_grant")


row("P-06", "a method without a challenge is invalid_request", challenge_refused, {"drop": "code_challenge"}, gate=1)
row("P-06b", "two challenges are invalid_request", challenge_refused, {"add": [("code_challenge", s256("B" * 43))]}, gate=1)
row("P-06c", "two methods are invalid_request", challenge_refused, {"add": [("code_challenge_method", "plain")]}, gate=1)


async def unspent_after(s, *errors, **change):
    code = await s.code()
    expect.token_error(await s.redeem(code, **change), errors)
    expect.token_ok(await s.redeem(code))


row("P-07", "T0 without code_verifier is refused and leaves the code unspent", lambda s: unspent_after(s, "invalid_grant", "invalid_request", drop="code_verifier"), gate=1)
row("P-08", "T0 with a wrong verifier is invalid_grant and leaves the code unspent", lambda s: unspent_after(s, "invalid_grant", code_verifier=V0[:-1] + "j"), gate=1)


@case("P-09", "wrong verifier, then none, then the right one: refused, refused, OK", gate=1)
async def no_weaker_code(s):
    code = await s.code()
    expect.token_error(await s.redeem(code, code_verifier="B" * 43), "invalid_grant")
    expect.token_error(await s.redeem(code, drop="code_verifier"), ("invalid_grant", "invalid_request"))
    expect.token_ok(await s.redeem(code))


row("P-10", "an empty verifier is as none", lambda s: unspent_after(s, "invalid_grant", "invalid_request", code_verifier=""), gate=1)
row("P-11", "the challenge itself as verifier (plain) is invalid_grant", lambda s: unspent_after(s, "invalid_grant", code_verifier=C0), gate=1)


async def lawless_verifier(s, verifier):
    """The challenge matches, but the verifier is outside RFC 7636's grammar."""
    code = await s.code(verifier=verifier)
    answer = await s.redeem(code)
    expect.token_error(answer, ("invalid_grant", "invalid_request"))


for id_, what, verifier in (
    ("P-12a", "42 characters", "A" * 42), ("P-12b", "129 characters", "A" * 129), ("P-12c", "1 character", "A"),
    ("P-13a", "a space", "A" * 42 + " "), ("P-13b", "NUL", "A" * 42 + "\x00"), ("P-13c", "non-ASCII", "A" * 42 + "é"), ("P-13d", "/", "A" * 42 + "/"), ("P-13e", "+", "A" * 42 + "+"), ("P-13f", "=", "A" * 42 + "=")):
    row(id_, f"a verifier with {what} whose S256 matches is refused", lawless_verifier, verifier, gate=1)


@case("P-14", "the pair of RFC 7636 appendix B is OK", gate=1)
async def appendix_b(s):
    check(b64(hashlib.sha256(V0.encode()).digest()) == C0, "a sound suite", "V0 does not hash to C0")
    expect.token_ok(await s.redeem(await s.code()))


row("P-14b", "a verifier of 128 characters with every lawful sign is OK", lambda s: _long_verifier(s), gate=1)


async def _long_verifier(s):
    expect.token_ok(await s.redeem(await s.code(verifier=("Az09-._~" * 16)[:128])))


for number, tail in enumerate(("\n", " ", "\r", "\t", "\x00")):
    row(f"P-15.{number}", f"the right verifier followed by {tail!r} is refused", lambda s, tail: unspent_after(s, "invalid_grant", "invalid_request", code_verifier=V0 + tail), tail, gate=1)
row("P-15.lead", "a space before the right verifier is refused", lambda s: unspent_after(s, "invalid_grant", "invalid_request", code_verifier=" " + V0), gate=1)
row("P-16", "code_verifier twice is invalid_request, unspent", lambda s: unspent_after(s, "invalid_request", add=[("code_verifier", V0)]), gate=1)
row("P-17", "the verifier in other case is invalid_grant", lambda s: unspent_after(s, "invalid_grant", code_verifier=V0.swapcase()), gate=1)


@case("P-18", "the code of flow 1 with the verifier of flow 2 (same client, same user) is invalid_grant", gate=1)
async def injected(s):
    first, second = await s.code(verifier="1" * 43), await s.code(verifier="2" * 43)
    expect.token_error(await s.redeem(first, code_verifier=second.verifier), "invalid_grant")
    expect.token_error(await s.redeem(second, code_verifier=first.verifier), "invalid_grant")
    expect.token_ok(await s.redeem(first))
    expect.token_ok(await s.redeem(second))


@case("P-19", "a code_challenge at the token endpoint changes nothing", gate=1)
async def challenge_at_token(s):
    code = await s.code()
    answer = await s.redeem(code, code_challenge=s256("B" * 43), code_challenge_method="S256", code_verifier="B" * 43)
    expect.token_error(answer, ("invalid_grant", "invalid_request"))


@case("P-20", "an attacker who strips the challenge from the URL gets an error for it, also by POST and for confidential clients", gate=1)
async def stripped(s):
    for client in ("public", "confidential", "jwt"):
        query = edit(s.a0(client), drop=("code_challenge", "code_challenge_method"))
        expect.redirected(s, await s.asks(query), "invalid_request", redirect=s.client(client).redirect)


@case("P-22", "code_challenge_methods_supported is exactly [\"S256\"]")
async def advertised(s):
    check(s.metadata.get("code_challenge_methods_supported") == ["S256"], '["S256"]', s.metadata.get("code_challenge_methods_supported"))


@case("P-24", "two flows at once in one browser each redeem with their own verifier")
async def two_flows(s):
    browser = await s.browser()
    shown = [await browser.consent(edit(s.a0(challenge=s256(v)), state=f"state-{v[0]}")) for v in ("1" * 43, "2" * 43)]
    from ..suite import Code
    client = s.client("public")
    for number, verifier in ((1, "2" * 43), (0, "1" * 43)):
        answer = await browser.decide(shown[number])
        code = expect.granted(s, answer, redirect=client.redirect, state=f"state-{verifier[0]}")
        expect.token_ok(await s.redeem(Code(code, client, client.redirect, "mcp", verifier)))


not_applicable("P-21", "verifiers are compared in constant time", "needs timing statistics; pinned by unit tests of the core")
not_applicable("P-23", "a client stops when the server does not advertise S256", "concerns the client role; no server under test")

"""T: the resource server: challenges, bearer tokens, scopes and (with JWT access tokens) forgeries."""

import asyncio
import json
import time
from urllib.parse import urlsplit

from .. import expect
from ..case import case, check, not_applicable, row
from ..jose import Key, b64, hs256, jws, read, unb64

RESOURCES = ("mcp", "api")


async def bare(s, resource):
    expect.resource_401(s, await s.call(None, resource=resource), resource=resource)


async def scope_named(s, resource):
    answer = await s.call(None, resource=resource)
    check(s.read_scope in expect.challenge(answer).get("scope", "").split(), f"scope with {s.read_scope}", answer)


async def malformed(s, resource, header):
    expect.resource_400(await s.call(None, resource=resource, headers=[("Authorization", header)]))


async def spelled(s, resource, scheme):
    tokens = await s.tokens(resource=resource)
    answer = await s.call(None, resource=resource, headers=[("Authorization", f"{scheme} {tokens.access_token}")])
    check(answer.status == 200, "OK (the scheme is case-insensitive)", answer)


async def other_scheme(s, resource, header):
    expect.resource_401(s, await s.call(None, resource=resource, headers=[("Authorization", header)]), resource=resource)


async def in_query(s, resource):
    tokens = await s.tokens(resource=resource)
    answer = await s.call(None, resource=resource, query=f"?access_token={tokens.access_token}")
    check(answer.status in (400, 401), "401, never accepted", answer)


async def in_body(s, resource):
    tokens = await s.tokens(resource=resource)
    where = s.fixture["resources"][resource]
    answer = await s.wire.form(where["url"], [("access_token", tokens.access_token), ("text", "x")])
    check(answer.status == 401, "401, never accepted", answer)


async def two_headers(s, resource):
    tokens = await s.tokens(resource=resource)
    good = ("Authorization", f"Bearer {tokens.access_token}")
    for pair in ([good, good], [good, ("Authorization", "Bearer x")], [("Authorization", "Bearer x"), good]):
        expect.resource_400(await s.call(None, resource=resource, headers=pair))


async def header_and_query(s, resource):
    tokens = await s.tokens(resource=resource)
    answer = await s.call(tokens.access_token, resource=resource, query=f"?access_token={tokens.access_token}")
    expect.resource_400(answer)


async def accepted(s, resource):
    tokens = await s.tokens(resource=resource)
    answer = await s.call(tokens.access_token, resource=resource)
    check(answer.status == 200, "OK", answer)


async def foreign_audience(s, resource):
    other = "api" if resource == "mcp" else "mcp"
    tokens = await s.tokens(resource=other)
    expect.resource_401(s, await s.call(tokens.access_token, resource=resource), "invalid_token", resource=resource)


async def stepped_up(s, resource):
    tokens = await s.tokens(resource=resource, scopes=[s.fixture["scopes"]["offline"]])
    check((await s.call(tokens.access_token, resource=resource)).status == 200, "reading works", "refused")
    expect.resource_403(s, await s.call_write(tokens.access_token, resource=resource), s.write_scope, resource=resource)
    whole = await s.tokens(resource=resource)
    answer = await s.call_write(whole.access_token, resource=resource)
    check(answer.status in (200, 201, 202) and '"isError":true' not in answer.text.replace(" ", ""), "writing works with the scope", answer)


async def write_only(s, resource):
    code = await s.code(resource=resource, scope=s.write_scope)
    value = expect.token_ok(await s.redeem(code))
    s.need(s.read_scope not in value.get("scope", s.write_scope).split(), "the server always grants the default scope")
    expect.resource_403(s, await s.call(value["access_token"], resource=resource), s.read_scope, resource=resource)


async def revoked_at_once(s, resource):
    s.need(s.opaque, "JWT access tokens live until they expire")
    tokens = await s.tokens(resource=resource)
    answer = await s.revoke(tokens.refresh_token)
    check(answer.status == 200, "200 from /revoke", answer)
    expect.resource_401(s, await s.call(tokens.access_token, resource=resource), "invalid_token", resource=resource)


async def spoofed_host(s, resource):
    where = s.fixture["resources"][resource]
    path = urlsplit(where["url"]).path
    for host in ("evil.example", 'a"b', "a,b"):
        method, headers, body = ("POST", [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")], b"{}") if where["kind"] == "mcp" else ("GET", [], b"")
        answer = await s.wire.raw(s.wire.request_bytes(method, path, headers, body, host=host))
        if answer is None or answer.status in (400, 404, 421):
            continue  # a host that refuses foreign names is as good
        expect.resource_401(s, answer, resource=resource)


async def metadata(s, resource):
    parts = urlsplit(s.resource(resource))
    answer = await s.wire.send("GET", f"{s.base}/.well-known/oauth-protected-resource{parts.path}", headers=[("Origin", "https://inspector.example")])
    check(answer.status == 200 and answer.media_type == "application/json", "200 application/json", answer)
    value = answer.json()
    check(value.get("resource") == s.resource(resource), s.resource(resource), value.get("resource"))
    check(value.get("authorization_servers") == [s.issuer], [s.issuer], value.get("authorization_servers"))
    check(value.get("bearer_methods_supported") == ["header"], '["header"]', value.get("bearer_methods_supported"))
    check(s.read_scope in value.get("scopes_supported", []) and "offline_access" not in value["scopes_supported"], "the scopes, without offline_access", value.get("scopes_supported"))
    check(not [k for k, v in value.items() if v in (None, "", [])], "no empty member", value)
    check(answer.header("access-control-allow-origin") == "*" and not answer.header("access-control-allow-credentials"), "CORS * without credentials", answer.headers)
    check("max-age" in (answer.header("cache-control") or ""), "Cache-Control with max-age", answer.header("cache-control"))


async def preflight(s, resource):
    url = s.fixture["resources"][resource]["url"]
    origin = ("Origin", "https://inspector.example")
    answer = await s.wire.send("OPTIONS", url, headers=[origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")])
    check(not (answer.header("access-control-allow-origin") == "*" and answer.header("access-control-allow-credentials") == "true"), "no * with credentials", answer.headers)
    refused = await s.call(None, resource=resource, headers=[origin])
    if refused.header("access-control-allow-origin") is None:
        return "no CORS at this resource"
    check("www-authenticate" in (refused.header("access-control-expose-headers") or "").lower(), "Access-Control-Expose-Headers: WWW-Authenticate", refused.headers)


TABLE = [
    ("T-01", "no Authorization is a bare challenge: one Bearer, resource_metadata, no error", bare, (), 1),
    ("T-01b", "the challenge names the scope to ask for", scope_named, (), 0),
    ("T-02", "a good token is accepted (the control of this group)", accepted, (), 1),
    ("T-02a", "Bearer without a token is 400 invalid_request", malformed, ("Bearer",), 1),
    ("T-02b", "Bearer with two tokens is 400 invalid_request", malformed, ("Bearer x y",), 1),
    ("T-02c", "Bearer with a space and nothing is 400 invalid_request", malformed, ("Bearer ",), 1),
    ("T-02d", "Bearer with signs outside token68 is 400 invalid_request", malformed, ("Bearer \"x\"",), 1),
    ("T-02e", "bearer in small letters is OK", spelled, ("bearer",), 1), ("T-02f", "BEARER in capitals is OK", spelled, ("BEARER",), 1),
    ("T-02g", "Basic at the resource is a bare challenge", other_scheme, ("Basic YTpi",), 1), ("T-02h", "DPoP at the resource is a bare challenge", other_scheme, ("DPoP abc",), 1), ("T-02i", "Bearerx at the resource is a bare challenge", other_scheme, ("Bearerx abc",), 1),
    ("T-03", "a token in the query is never accepted", in_query, (), 1), ("T-04", "a token in a form body is never accepted", in_body, (), 1),
    ("T-05", "two Authorization headers are 400 invalid_request", two_headers, (), 1), ("T-05b", "header and query together are 400 invalid_request", header_and_query, (), 1),
    ("T-07", "a token for the other resource is invalid_token", foreign_audience, (), 1),
    ("T-19", "a token without the write scope reads, and is 403 with the scope needed when it writes; with the scope it writes", stepped_up, (), 0),
    ("T-20", "a token with the write scope alone does not read (whole-token match)", write_only, (), 0),
    ("T-21", "a revoked token is invalid_token at once", revoked_at_once, (), 0),
    ("T-28", "resource_metadata comes from the configuration, whatever Host says", spoofed_host, (), 0),
    ("T-29", "the resource's metadata: path insertion, resource as configured, the issuer, header only, no offline_access", metadata, (), 0),
    ("T-31", "CORS at the resource: no * with credentials; WWW-Authenticate exposed if CORS is on", preflight, (), 0),
]
for id_, title, run, args, gate in TABLE:
    for resource in RESOURCES:
        row(f"{id_}.{resource}", f"{resource}: {title}", run, resource, *args, gate=gate)


@case("T-06", "an expired access token is invalid_token")
async def expired(s):
    tokens = await s.tokens()
    seconds = tokens.answer["expires_in"]
    s.need(seconds <= 10, f"access tokens live {seconds} s here (start the server with EXAMPLE_ACCESS_SECONDS=5 to ask)")
    await asyncio.sleep(seconds + 1)
    expect.resource_401(s, await s.call(tokens.access_token), "invalid_token")


UPSTREAM = {
    "GitHub": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "Google": "ya29." + "A" * 120, "Entra": jws({"alg": "RS256", "kid": "x", "typ": "JWT"}, {"aud": "00000003-0000-0000-c000-000000000000", "iss": "https://sts.windows.net/x/", "exp": 9999999999}, lambda d: b"x" * 256),
    "an API key": "sk-" + "a" * 48, "an opaque guess": "A" * 43, "one sign": "x", "8 KB": "A" * 8000, "three empty parts": "..", "percent": "%00", "a path": "../../etc/passwd",
}
for number, (what, token) in enumerate(UPSTREAM.items()):
    row(f"T-25.{number}", f"a foreign token ({what}) is invalid_token (or 400 where it is no token68)", lambda s, t: _foreign(s, t), token)


async def _foreign(s, token):
    for resource in RESOURCES:
        answer = await s.call(token, resource=resource)
        if answer.status in (400, 431):
            continue
        expect.resource_401(s, answer, "invalid_token", resource=resource)


async def mangled(s, mangle):
    tokens = await s.tokens()
    wrong = mangle(tokens.access_token)
    s.need(wrong != tokens.access_token, "this change leaves the token as it is")
    answer = await s.call(wrong)
    if answer.status != 400:
        expect.resource_401(s, answer, "invalid_token")
    check((await s.call(tokens.access_token)).status == 200, "the real one still works", "refused")


def spare_bits(token):
    return token[:-1] + ("B" if token[-1] == "A" else "A")


for number, (what, mangle) in enumerate({"with one sign changed": lambda t: t[:len(t) // 2] + ("A" if t[len(t) // 2] != "A" else "B") + t[len(t) // 2 + 1:], "truncated": lambda t: t[:-1], "extended": lambda t: t + "A", "in upper case": str.upper,
        "with padding": lambda t: t + "=", "with the last sign changed": spare_bits, "in standard base64": lambda t: t.replace("-", "+").replace("_", "/"), "doubled": lambda t: t + t, "with the first sign changed": lambda t: ("B" if t[0] != "B" else "C") + t[1:]}.items()):
    row(f"T-08.{number}", f"an access token {what} is refused", mangled, mangle)


@case("T-32", "a token in a cookie is not read")
async def in_cookie(s):
    tokens = await s.tokens()
    for name in ("access_token", "Authorization", "token"):
        expect.resource_401(s, await s.call(None, headers=[("Cookie", f"{name}={tokens.access_token}")]))


@case("T-33", "the tokens of two users, used 20 at once, are all accepted")
async def two_users(s):
    mine, theirs = await s.tokens(user=s.users[0]), await s.tokens(user=s.users[1])
    answers = await asyncio.gather(*(s.call((mine if n % 2 else theirs).access_token) for n in range(20)))
    check({a.status for a in answers} == {200}, "all OK", {a.status for a in answers})


# -- JWT access tokens ----------------------------------------------------------------------------------------------


def jwt_row(id, title, forge, *, gate=1):
    async def run(s):
        s.need_jwt()
        tokens = await s.tokens()
        head, claims = read(tokens.access_token)
        forged = forge(s, tokens.access_token, dict(head), dict(claims))
        if asyncio.iscoroutine(forged):
            forged = await forged
        expect.resource_401(s, await s.call(forged), "invalid_token")

    case(id, title, gate=gate)(run)


def signed_by(s):
    """The server's own signing key, when the fixture of a test server gives it: claims can only be tested under a good signature."""
    s.need("access_token_signing_jwk" in s.fixture, "the fixture has no access_token_signing_jwk, so no good signature over wrong claims")
    return Key.from_jwk(s.fixture["access_token_signing_jwk"])


def claim_row(id, title, change, *, head=None, control=False, gate=1):
    async def run(s):
        s.need_jwt()
        key = signed_by(s)
        header, claims = read((await s.tokens()).access_token)
        made = {k: v for k, v in {**claims, **change(s, claims)}.items() if v is not None}
        answer = await s.call(jws({k: v for k, v in {**header, **(head or {})}.items() if v is not None}, made, key.sign))
        if control:
            return check(answer.status == 200, "OK", answer)
        expect.resource_401(s, answer, "invalid_token")

    case(id, title, gate=gate)(run)


claim_row("T-06.0", "JWT: re-signed claims are accepted (the control of the claim rows)", lambda s, c: {}, control=True)
for number, (what, change) in enumerate({
    "expired": lambda s, c: {"exp": int(time.time()) - 120}, "nbf ahead": lambda s, c: {"nbf": int(time.time()) + 600}, "iat ahead": lambda s, c: {"iat": int(time.time()) + 3600}, "no exp": lambda s, c: {"exp": None}}.items(), 1):
    claim_row(f"T-06.{number}", f"JWT: {what} is invalid_token", change)
for number, (what, change) in enumerate({
    "aud of resource 2": lambda s, c: {"aud": s.resource("api")}, "aud of the issuer": lambda s, c: {"aud": s.issuer}, "no aud": lambda s, c: {"aud": None}, "an empty array": lambda s, c: {"aud": []}, "a number": lambda s, c: {"aud": 1}, "an object": lambda s, c: {"aud": {s.resource("mcp"): 1}}}.items()):
    claim_row(f"T-07.{number}", f"JWT: {what} is invalid_token", change)
for number, (what, change) in enumerate({"aud with a slash": lambda s, c: {"aud": s.resource("mcp") + "/"}, "a prefix": lambda s, c: {"aud": s.resource("mcp")[:-1]}, "other case": lambda s, c: {"aud": s.resource("mcp").upper()}}.items()):
    claim_row(f"T-09.{number}", f"JWT: {what} is invalid_token", change)
for number, (what, change) in enumerate({"another iss": lambda s, c: {"iss": "https://other.example"}, "no iss": lambda s, c: {"iss": None}, "iss with a slash": lambda s, c: {"iss": s.issuer + "/"}, "iss in capitals": lambda s, c: {"iss": s.issuer.upper()}}.items()):
    claim_row(f"T-10.{number}", f"JWT: {what} is invalid_token", change)
for number, typ in enumerate(("JWT", None, "id_token", "dpop+jwt", "client-authentication+jwt", "oauth-id-jag+jwt", "AT")):
    claim_row(f"T-11.{number}", f"JWT: typ={typ} is invalid_token", lambda s, c: {}, head={"typ": typ})
claim_row("T-11.ok", "JWT: typ=application/at+jwt is OK", lambda s, c: {}, head={"typ": "application/at+jwt"}, control=True)
for number, (what, value) in enumerate({"a string": "9999999999", "1e30": 1e30, "negative": -1, "beyond 64 bits": 10**30, "true": True, "an array": [9999999999]}.items()):
    claim_row(f"T-16.{number}", f"JWT: exp as {what} is invalid_token", (lambda v: lambda s, c: {"exp": v})(value), gate=0)
claim_row("T-18", "JWT: an unknown crit is invalid_token", lambda s, c: {}, head={"crit": ["x"], "x": 1}, gate=0)

jwt_row("T-12.0", "JWT: alg none is invalid_token", lambda s, t, h, c: jws({**h, "alg": "none"}, c, lambda d: b""))
jwt_row("T-12.1", "JWT: HS256 keyed with the public key's JWK is invalid_token", lambda s, t, h, c: _public(s, h, c))
jwt_row("T-12.2", "JWT: another key under the server's kid is invalid_token", lambda s, t, h, c: jws(h, c, Key.ec().sign))
jwt_row("T-12.3", "JWT: RS256 of an own key under the server's kid is invalid_token", lambda s, t, h, c: jws({**h, "alg": "RS256"}, c, Key.rsa().sign))
jwt_row("T-12.4", "JWT: no kid and an own key is invalid_token", lambda s, t, h, c: jws({k: v for k, v in h.items() if k != "kid"}, c, Key.ec().sign))
jwt_row("T-13.0", "JWT: an own key in the header's jwk is invalid_token", lambda s, t, h, c: _header_key(h, c))
jwt_row("T-14.0", "JWT: another payload under the server's signature is invalid_token", lambda s, t, h, c: t.split(".")[0] + "." + b64(json.dumps({**c, "scope": "admin"})) + "." + t.split(".")[2])
jwt_row("T-14.1", "JWT: another header over the server's signature is invalid_token", lambda s, t, h, c: b64(json.dumps({**h, "x": 1})) + t[t.index("."):])
jwt_row("T-14.2", "JWT: an empty signature is invalid_token", lambda s, t, h, c: t.rsplit(".", 1)[0] + ".")
jwt_row("T-14.3", "JWT: a signature of zeros is invalid_token", lambda s, t, h, c: t.rsplit(".", 1)[0] + "." + b64(bytes(64)))
jwt_row("T-15.0", "JWT: a duplicate aud member in a resigned token is invalid_token", lambda s, t, h, c: jws(h, json.dumps(c)[:-1] + ',"aud":"x"}', Key.ec().sign))


async def _public(s, head, claims):
    keys = (await s.wire.send("GET", s.metadata["jwks_uri"])).json()["keys"]
    return jws({**head, "alg": "HS256"}, claims, hs256(unb64(keys[0].get("x", "")) if "x" in keys[0] else json.dumps(keys[0]).encode()))


def _header_key(head, claims):
    key = Key.ec(head.get("kid", "k"))
    return jws({**head, "jwk": key.jwk}, claims, key.sign)


@case("T-13", "JWT: jku, x5u in the header are never fetched", gate=1)
async def no_header_fetch(s):
    s.need_jwt()
    from ..documents import DocumentHost, json_reply
    async with DocumentHost() as host:
        key = Key.ec("attacker")
        url = host.serve("/jwks.json", json_reply({"keys": [key.jwk]}))
        head, claims = read((await s.tokens()).access_token)
        for member in ("jku", "x5u"):
            expect.resource_401(s, await s.call(jws({**head, "kid": "attacker", member: url}, claims, key.sign)), "invalid_token")
        check(host.count() == 0, "zero fetches", f"{host.count()}")


@case("T-17", "JWT: the claims are those of RFC 9068, for this resource and client, with a short life")
async def claims_of_9068(s):
    s.need_jwt()
    tokens = await s.tokens()
    head, claims = read(tokens.access_token)
    check(head.get("typ") == "at+jwt" and head.get("kid") and head.get("alg") not in (None, "none"), "typ at+jwt, kid, alg", head)
    check(claims.get("aud") in (s.resource("mcp"), [s.resource("mcp")]), "aud: the resource", claims.get("aud"))
    check(claims.get("iss") == s.issuer and claims.get("client_id") == tokens.client.client_id and claims.get("sub") and claims.get("jti"), "iss, client_id, sub, jti", claims)
    check(claims["exp"] - claims["iat"] <= 3600, "an hour at most", claims["exp"] - claims["iat"])


for id_, title, why in (
    ("T-22", "introspection down is 503 (fail closed)", "the resource here shares the server's store; the core's tests cover an introspecting one"), ("T-23", "an introspection answer with wrong aud, iss or exp is refused", "as T-22"), ("T-24", "active:\"true\" is inactive", "as T-22"),
    ("T-26", "a client compares the metadata's resource", "concerns the client role; no server under test"), ("T-27", "challenge values from configuration are escaped or refused at build", "needs another configuration; the core's tests cover it"),
    ("T-34", "sub equal under two issuers are two identities", "one base URL is one issuer"), ("T-35", "a rotated-out key is refused after its overlap", "needs the server's key ring and clock"), ("T-37", "a token cache compares the full hash", "an internal of the resource")):
    not_applicable(id_, title, why)

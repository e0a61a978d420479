"""K: client authentication and assertions.

A row of the assertion table redeems a real code with one wrong assertion (401), and then with a good one (OK):
so the refusal is due to the change, and the code was left unspent.
"""

import asyncio
import base64
import json
import time

from .. import expect
from ..case import case, check, not_applicable, row
from ..jose import ASSERTION_TYPE, Key, assertion, assertion_claims, b64, hs256, jws, unb64
from ..suite import Client, basic
from ..wire import edit, encode


async def confidential_code(s):
    return await s.code("confidential")


async def with_header(s, code, *headers, pairs=None):
    return await s.wire.form(s.url("token"), edit(s.t0(code), drop="client_id") if pairs is None else pairs, headers=[("Authorization", h) for h in headers])


async def own_client(s):
    """A confidential client of this case's own, so that wrong secrets never count against another case's client."""
    return await s.registered(method="client_secret_basic")


@case("K-01", "Basic with the right secret is OK")
async def right_secret(s):
    expect.token_ok(await s.redeem(await confidential_code(s)))


async def wrong_secret(s, mangle):
    client = await own_client(s)
    code = await s.code(client)
    expect.token_401(await with_header(s, code, basic(client.client_id, mangle(client.secret))), basic=True)
    expect.token_ok(await s.redeem(code))


for number, (what, mangle) in enumerate({"wrong": lambda x: "wrong", "empty": lambda x: "", "with a space after": lambda x: x + " ", "truncated": lambda x: x[:-1], "extended": lambda x: x + "A", "in other case": str.swapcase, "with NUL": lambda x: x + "\x00"}.items()):
    row(f"K-02.{number}", f"a secret {what} is 401, and the right one still works", wrong_secret, mangle)


@case("K-03", "Basic with id and secret form-encoded sign by sign is OK")
async def form_encoded(s):
    code = await confidential_code(s)
    percent = lambda text: "".join(f"%{byte:02X}" for byte in text.encode())
    value = base64.b64encode(f"{percent(code.client.client_id)}:{percent(code.client.secret)}".encode()).decode()
    expect.token_ok(await with_header(s, code, "Basic " + value))


@case("K-03b", "Basic where id and secret hold : % + space and non-ASCII (form-encoded) is OK")
async def special_secret(s):
    s.need("special" in s.clients, "the fixture has no client `special` (reserved signs in id and secret)")
    expect.token_ok(await s.redeem(await s.code("special")))


@case("K-04", "a raw % or + in the secret has one reading: a wrong secret stays wrong however it is decoded")
async def raw_signs(s):
    client = await own_client(s)
    code = await s.code(client)
    for secret in (client.secret[:-1] + "%", client.secret + "+", "%2B" + client.secret, client.secret + "%00", client.secret + "%zz"):
        value = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
        expect.refused(await with_header(s, code, "Basic " + value), "invalid_request")
    expect.token_ok(await s.redeem(code))


MALFORMED_BASIC = ("Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"no-colon").decode(), "Basic " + base64.b64encode(b":").decode(), "Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "Basic a b", "Bearer x", "Negotiate x", "Basic " + "A" * 6000)
for number, header in enumerate(MALFORMED_BASIC):
    row(f"K-05.{number}", f"Authorization {header[:24]!r} at /token is refused, unspent", lambda s, h: _malformed(s, h), header)


async def _malformed(s, header):
    code = await confidential_code(s)
    expect.refused(await with_header(s, code, header, pairs=s.t0(code)), "invalid_request")
    expect.token_ok(await s.redeem(code))


@case("K-06", "two Authorization headers are refused, also when one is right")
async def two_headers(s):
    code = await confidential_code(s)
    right = code.client.basic
    for pair in ((right, right), (right, basic(code.client.client_id, "x")), (basic(code.client.client_id, "x"), right)):
        expect.refused(await with_header(s, code, *pair), "invalid_request")
    expect.token_ok(await s.redeem(code))


@case("K-07", "Basic of C beside client_id of A in the body is invalid_request")
async def two_identities(s):
    code = await confidential_code(s)
    answer = await with_header(s, code, code.client.basic, pairs=edit(s.t0(code), client_id=s.client("public").client_id))
    expect.token_error(answer, "invalid_request")
    expect.token_ok(await s.redeem(code))


@case("K-07b", "Basic of C beside the same client_id in the body is OK")
async def same_identity(s):
    code = await confidential_code(s)
    expect.token_ok(await with_header(s, code, code.client.basic, pairs=s.t0(code)))


@case("K-08", "a secret in the query of /token is never accepted")
async def in_query(s):
    code = await confidential_code(s)
    query = encode([("client_id", code.client.client_id), ("client_secret", code.client.secret)])
    for pairs in (s.t0(code), edit(s.t0(code), drop="client_id")):
        expect.refused(await s.wire.form(f"{s.url('token')}?{query}", pairs), "invalid_request")
    expect.token_ok(await s.redeem(code))


@case("K-09", "a confidential client with client_id only is 401")
async def id_only(s):
    code = await confidential_code(s)
    expect.token_401(await s.wire.form(s.url("token"), s.t0(code)))
    expect.token_401(await with_header(s, code, basic(code.client.client_id, "")), basic=True)


@case("K-10", "a public client that sends a secret is 401")
async def public_with_secret(s):
    code = await s.code()
    expect.token_401(await s.redeem(code, client_secret="x"))
    expect.token_401(await with_header(s, code, basic(code.client.client_id, "x")), basic=True)
    expect.token_ok(await s.redeem(code))


@case("K-11", "a client registered for Basic may post its secret, and the reverse")
async def either_way(s):
    code = await confidential_code(s)
    expect.token_ok(await s.wire.form(s.url("token"), edit(s.t0(code), client_secret=code.client.secret)))
    client = await s.registered(method="client_secret_post")
    expect.token_ok(await with_header(s, await s.code(client), client.basic))


@case("K-12", "Basic and client_secret in one request are invalid_request")
async def both_ways(s):
    code = await confidential_code(s)
    expect.token_error(await s.redeem(code, client_id=code.client.client_id, client_secret=code.client.secret), "invalid_request")
    expect.token_ok(await s.redeem(code))


for spelling in ("basic", "BASIC", "bAsIc"):
    row(f"K-13.{spelling}", f"the scheme spelled {spelling} is OK", lambda s, x: _spelled(s, x), spelling)


async def _spelled(s, spelling):
    code = await confidential_code(s)
    expect.token_ok(await with_header(s, code, code.client.basic.replace("Basic", spelling)))


not_applicable("K-14", "secrets are compared in constant time", "needs timing statistics; pinned by unit tests of the core")


@case("K-15", "the posted secret of another client is 401")
async def foreign_secret(s):
    code = await confidential_code(s)
    client = await own_client(s)
    expect.token_401(await s.wire.form(s.url("token"), edit(s.t0(code), client_secret=client.secret)))
    expect.token_401(await with_header(s, code, basic(client.client_id, code.client.secret)), basic=True)
    expect.token_ok(await s.redeem(code))


@case("K-16", "300 wrong secrets: each 401 (or 429), and another client is not affected", alone=True)
async def flood(s):
    client, limited = await own_client(s), 0
    for _ in range(6):
        answers = await asyncio.gather(*(s.wire.form(s.url("token"), [("grant_type", "refresh_token"), ("refresh_token", "x")], headers=[("Authorization", basic(client.client_id, f"wrong{i}"))]) for i in range(50)))
        for answer in answers:
            limited += answer.status == 429
            check(answer.status in (401, 429), "401 or 429", answer)
    expect.token_ok(await s.redeem(await confidential_code(s)))
    return f"{limited} answered 429"


# -- private_key_jwt ------------------------------------------------------------------------------------------------


async def send(s, code, value, *, type_=ASSERTION_TYPE, add=()):
    return await s.wire.form(s.url("token"), edit(s.t0(code), client_assertion_type=type_, client_assertion=value, add=list(add)))


async def accepted(s, make):
    code = await s.code("jwt")
    expect.token_ok(await send(s, code, make(s, code.client)))


async def unauthenticated(s, make, names_another=False):
    code = await s.code(await s.key_client())
    answer = await send(s, code, make(s, code.client))
    if not (names_another and answer.status == 400):
        expect.token_401(answer)
    else:
        expect.token_error(answer, "invalid_request")  # client_id in the form and sub in the assertion contradict
    expect.token_ok(await s.redeem(code))


def claims(**change):
    return lambda s, c: assertion(c.key, c.client_id, s.issuer, **{k: v(s) if callable(v) else v for k, v in change.items()})


def header(**change):
    return lambda s, c: assertion(c.key, c.client_id, s.issuer, header=change)


def forged(head, sign=lambda data: b"", **change):
    """Another signature under a chosen header (a dict, or raw JSON text)."""
    return lambda s, c: jws(head(c) if callable(head) else head, assertion_claims(c.client_id, s.issuer, **change), sign(c) if getattr(sign, "takes_client", False) else sign)


def of_client(make):
    make.takes_client = True
    return make


row("K-20", "a valid assertion is OK", accepted, claims(), gate=1)
row("K-20b", "a valid assertion without client_id in the form is OK", lambda s: _without_client_id(s), gate=1)


async def _without_client_id(s):
    code = await s.code("jwt")
    expect.token_ok(await s.redeem(code, drop="client_id"))


REFUSED = {
    "K-21": ("alg=none with an empty signature", forged({"alg": "none", "typ": "JWT"})),
    "K-21b": ("alg=none with the kid and two parts only", lambda s, c: forged({"alg": "none", "kid": c.key.jwk["kid"]})(s, c).rstrip(".")),
    "K-22a": ("a header with alg none, then alg ES256", forged(lambda c: '{"alg":"none","alg":"ES256","kid":"%s"}' % c.key.jwk["kid"], of_client(lambda c: c.key.sign))),
    "K-22b": ("a header with alg ES256, then alg none", forged(lambda c: '{"alg":"ES256","alg":"none","kid":"%s"}' % c.key.jwk["kid"], of_client(lambda c: c.key.sign))),
    "K-23a": ("alg=None", forged({"alg": "None"})), "K-23b": ("alg=nOnE", forged({"alg": "nOnE"})), "K-23c": ("an empty alg", forged({"alg": ""})),
    "K-23d": ("no alg", forged({"typ": "JWT"})), "K-23e": ("a number as alg", forged({"alg": 0})), "K-23f": ("alg=null", forged({"alg": None})), "K-23g": ("an array as alg", forged({"alg": ["ES256"]})),
    "K-23h": ("alg=es256 over a good signature", header(alg="es256")), "K-23i": ("alg=ES384 over an ES256 signature", header(alg="ES384")), "K-23j": ("alg=EdDSA over an ES256 signature", header(alg="EdDSA")),
    "K-24a": ("HS256 keyed with the public key as PEM", forged({"alg": "HS256"}, of_client(lambda c: hs256(c.key.pem)))),
    "K-24b": ("HS256 keyed with the public key as DER", forged({"alg": "HS256"}, of_client(lambda c: hs256(c.key.der)))),
    "K-24c": ("HS256 keyed with the JWK text", forged({"alg": "HS256"}, of_client(lambda c: hs256(json.dumps(c.key.jwk).encode())))),
    "K-24d": ("HS256 keyed with x of the JWK, naming its kid", forged(lambda c: {"alg": "HS256", "kid": c.key.jwk["kid"]}, of_client(lambda c: hs256(unb64(c.key.jwk["x"]))))),
    "K-25a": ("HS256 with an empty key", forged({"alg": "HS256"}, hs256(b""))),
    "K-25b": ("HS256 keyed with the client_id", forged({"alg": "HS256"}, of_client(lambda c: hs256(c.client_id.encode())))),
    "K-26": ("an attacker's key in the header's jwk", lambda s, c: _own_key(s, c, "jwk")),
    "K-26b": ("an attacker's key under the client's kid", lambda s, c: _own_key(s, c, None)),
    "K-28a": ("kid=../../etc/passwd", header(kid="../../etc/passwd")), "K-28b": ("kid with SQL", header(kid="' OR 1=1 --")), "K-28c": ("a number as kid", header(kid=1)),
    "K-28d": ("an object as kid", header(kid={"a": 1})), "K-28e": ("an unknown kid", header(kid="nobody")), "K-28f": ("an empty kid", header(kid="")),
    "K-28g": ("a kid of 20 KB", header(kid="k" * 20000)), "K-28h": ("kid=null", lambda s, c: _raw_header(s, c, '{"alg":"ES256","kid":null}')),
    "K-28i": ("two kids", lambda s, c: _raw_header(s, c, '{"alg":"ES256","kid":"%s","kid":"x"}' % c.key.jwk["kid"])),
    "K-30a": ("an unknown crit", header(crit=["x"], x=1)), "K-30b": ("an empty crit", header(crit=[])), "K-30c": ("b64=false with crit", header(b64=False, crit=["b64"])), "K-30d": ("crit as a string", header(crit="exp")),
    "K-31": ("zip=DEF", header(zip="DEF", crit=["zip"])),
    "K-33a": ("a signature r=0, s=0", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]}, lambda data: bytes(64))),
    "K-33b": ("a signature in DER", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]}, of_client(lambda c: c.key.sign_der))),
    "K-33c": ("a signature of 63 bytes", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]}, of_client(lambda c: lambda d: c.key.sign(d)[:63]))),
    "K-33d": ("a signature of 65 bytes", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]}, of_client(lambda c: lambda d: c.key.sign(d) + b"\0"))),
    "K-33e": ("an empty signature under ES256", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]})),
    "K-33f": ("a signature of ones", forged(lambda c: {"alg": "ES256", "kid": c.key.jwk["kid"]}, lambda data: b"\xff" * 64)),
    "K-34a": ("another payload under a good signature", lambda s, c: _swapped(s, c, 1)), "K-34b": ("another header over a good signature", lambda s, c: _swapped(s, c, 0)),
    "K-34c": ("one flipped bit in the signature", lambda s, c: _flipped(s, c)), "K-34d": ("padding after the signature", lambda s, c: claims()(s, c) + "=="),
    "K-34e": ("four parts", lambda s, c: claims()(s, c) + ".x"), "K-34f": ("a line feed inside", lambda s, c: claims()(s, c).replace(".", ".\n", 1)), "K-34g": ("a space before", lambda s, c: " " + claims()(s, c)),
    "K-35": ("iss of another client", claims(iss=lambda s: s.client("other").client_id)), "K-35b": ("no iss", claims(iss=None)), "K-35c": ("iss as array", lambda s, c: assertion(c.key, c.client_id, s.issuer, iss=[c.client_id])),
    "K-36": ("sub of another client", claims(sub=lambda s: s.client("other").client_id)), "K-36b": ("no sub", claims(sub=None)),
    "K-37a": ("an exp long past", claims(exp=lambda s: int(time.time()) - 3600)), "K-37b": ("no exp", claims(exp=None)), "K-37c": ("exp as a string", claims(exp=lambda s: str(int(time.time()) + 60))),
    "K-37d": ("exp = 1e300", claims(exp=1e300)), "K-37e": ("a negative exp", claims(exp=-1)), "K-37f": ("exp beyond 64 bits", lambda s, c: _raw_claims(s, c, "exp", "99999999999999999999999999")), "K-37g": ("exp = true", claims(exp=True)),
    "K-38a": ("nbf in 5 minutes", claims(nbf=lambda s: int(time.time()) + 300)), "K-38b": ("iat in 5 minutes", claims(iat=lambda s: int(time.time()) + 300)),
    "K-41a": ("aud = the token endpoint", claims(aud=lambda s: s.issuer + "/token")), "K-41b": ("aud = [issuer]", claims(aud=lambda s: [s.issuer])), "K-41c": ("aud = [issuer, other]", claims(aud=lambda s: [s.issuer, "https://other.example"])),
    "K-41d": ("aud of another server", claims(aud="https://other.example")), "K-41e": ("no aud", claims(aud=None)), "K-41f": ("aud = issuer with a slash", claims(aud=lambda s: s.issuer + "/")), "K-41g": ("aud in capitals", claims(aud=lambda s: s.issuer.upper())),
    "K-41h": ("an empty aud", claims(aud="")), "K-41i": ("two aud members", lambda s, c: _raw_claims(s, c, "aud", '"https://other.example","aud":' + json.dumps(s.issuer))),
    "K-42": ("a duplicate iss", lambda s, c: _raw_claims(s, c, "iss", '"x","iss":' + json.dumps(c.client_id))),
    "K-45": ("no jti", claims(jti=None)), "K-45b": ("an empty jti", claims(jti="")), "K-45c": ("a number as jti", claims(jti=1)), "K-45d": ("a jti of 20 KB", claims(jti="j" * 20000)),
    "K-52a": ("typ=at+jwt", header(typ="at+jwt")), "K-52b": ("typ=dpop+jwt", header(typ="dpop+jwt")), "K-52c": ("typ=oauth-id-jag+jwt", header(typ="oauth-id-jag+jwt")), "K-52d": ("typ=logout+jwt", header(typ="logout+jwt")), "K-52e": ("a number as typ", header(typ=1)),
}


def _own_key(s, c, member):
    key = Key.ec(c.key.jwk["kid"])
    return assertion(key, c.client_id, s.issuer, header={member: key.jwk} if member else None)


def _raw_header(s, c, text):
    return jws(text, assertion_claims(c.client_id, s.issuer), c.key.sign)


def _raw_claims(s, c, member, raw):
    good = {k: v for k, v in assertion_claims(c.client_id, s.issuer).items() if k != member}
    return jws({"alg": "ES256", "kid": c.key.jwk["kid"]}, json.dumps(good)[:-1] + f', "{member}": {raw}}}', c.key.sign)


def _swapped(s, c, part):
    one, two = claims()(s, c).split("."), header(kid=c.key.jwk["kid"], x="y")(s, c).split(".")
    one[part] = two[part]
    return ".".join(one)


def _flipped(s, c):
    head, body, signature = claims()(s, c).split(".")
    raw = bytearray(unb64(signature))
    raw[10] ^= 1
    return f"{head}.{body}.{b64(bytes(raw))}"


for id_, (what, make) in REFUSED.items():
    row(id_, f"an assertion with {what} is 401, unspent", unauthenticated, make, id_ == "K-36", gate=1 if 20 <= int(id_[2:4]) <= 49 else 0)

row("K-39a", "iat and nbf 10 s ahead are within the clock skew", accepted, claims(iat=lambda s: int(time.time()) + 10, nbf=lambda s: int(time.time()) + 10), gate=1)
row("K-39b", "typ=client-authentication+jwt is OK", accepted, header(typ="client-authentication+jwt"), gate=1)
row("K-39c", "no typ is OK", accepted, header(typ=None), gate=1)
row("K-39d", "an unknown claim and an unknown header member are ignored", accepted, lambda s, c: assertion(c.key, c.client_id, s.issuer, header={"x": 1}, y=2), gate=1)


@case("K-27", "jku and x5u in the header are never fetched", gate=1)
async def header_urls(s):
    from ..documents import DocumentHost, json_reply
    async with DocumentHost() as host:
        for member in ("jku", "x5u"):
            code = await s.code("jwt")
            key = Key.ec("attacker")
            url = host.serve("/jwks.json", json_reply({"keys": [key.jwk]}))
            expect.token_401(await send(s, code, assertion(key, code.client.client_id, s.issuer, header={member: url})))
            answer = await send(s, code, assertion(code.client.key, code.client.client_id, s.issuer, header={member: url}))
            check(answer.status in (200, 401), "401, or the header ignored", answer)
        check(host.count() == 0, "zero fetches", f"{host.count()}")


@case("K-28z", "a kid that makes the assertion 1 MB is refused", gate=1)
async def huge(s):
    code = await s.code("jwt")
    body = encode(edit(s.t0(code), client_assertion_type=ASSERTION_TYPE, client_assertion=header(kid="k" * 1_000_000)(s, code.client))).encode()
    answer = await s.wire.raw(s.wire.request_bytes("POST", s.path("token"), [("Content-Type", "application/x-www-form-urlencoded")], body))
    check(answer is None or answer.status in (400, 401, 413), "413 or a refusal", answer)


def _off_curve():
    key = Key.ec("off")
    y = bytearray(unb64(key.jwk["y"]))
    y[-1] ^= 1
    return {**key.jwk, "y": b64(bytes(y))}


BAD_KEYS = {
    "K-32a": ("an RSA key of 1024 bits", lambda: Key.rsa("weak", 1024).jwk), "K-32b": ("an RSA key with e=1", lambda: {**Key.rsa("e1").jwk, "e": b64(b"\x01")}), "K-32c": ("an EC point off the curve", _off_curve),
    "K-32d": ("a symmetric key", lambda: {"kty": "oct", "kid": "o", "k": b64(b"x" * 32)}), "K-32e": ("an EC point at zero", lambda: {**Key.ec("z").jwk, "x": b64(bytes(32)), "y": b64(bytes(32))}),
    "K-32f": ("an EC key with short coordinates", lambda: {**Key.ec("s").jwk, "x": b64(b"\x01" * 31)}), "K-32g": ("an RSA key with an even e", lambda: {**Key.rsa("e2").jwk, "e": b64(b"\x02")}),
    "K-55a": ("a private EC key", lambda: Key.ec("p").private_jwk), "K-55b": ("a symmetric key beside a good one", lambda: [Key.ec("g").jwk, {"kty": "oct", "kid": "o", "k": b64(b"x" * 32)}]),
    "K-55c": ("a private RSA member", lambda: {**Key.rsa("pr").jwk, "d": b64(b"\x05" * 256)}),
}


async def not_registered(s, make):
    s.need_registration()
    made = make()
    keys = made if isinstance(made, list) else [made]
    answer = await s.post_registration({"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}})
    check(answer.status == 400 and answer.error() == "invalid_client_metadata", "400 invalid_client_metadata", answer)


for id_, (what, make) in BAD_KEYS.items():
    row(id_, f"{what} is refused at registration", not_registered, make, gate=1 if id_.startswith("K-32") else 0)


@case("K-32p", "a P-384 key never verifies an assertion under alg ES256", gate=1)
async def wrong_curve(s):
    key = Key.ec("p384", "P-384")
    s.need_registration()
    answer = await s.post_registration({"redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{**key.jwk, "alg": "ES256"}]}})
    if answer.status == 201:
        client = Client(answer.json()["client_id"], ["https://client.example/cb"], "private_key_jwt", key=key)
        expect.token_401(await s.redeem(await s.code(client)))
        return "refused at use"
    check(answer.status == 400, "400", answer)
    return "refused at registration"


@case("K-40", "RS256 with a registered RSA key is OK (ChatGPT signs so)", gate=1)
async def rs256(s):
    client = await s.registered(method="private_key_jwt", key=Key.rsa("r1"))
    expect.token_ok(await s.redeem(await s.code(client)))


@case("K-43", "the same jti twice: the second is 401", gate=1)
async def jti_twice(s):
    one, two = await s.code("jwt"), await s.code("jwt")
    value = claims()(s, one.client)
    expect.token_ok(await send(s, one, value))
    expect.token_401(await send(s, two, value))
    expect.token_ok(await s.redeem(two))


@case("K-44", "one assertion with 16 codes at once is good for exactly one", gate=1)
async def jti_at_once(s):
    codes = [await s.code("jwt") for _ in range(16)]
    value = claims()(s, codes[0].client)
    answers = await asyncio.gather(*(send(s, code, value) for code in codes))
    good = [a for a in answers if a.status == 200]
    for answer in answers:
        if answer.status != 200:
            expect.refused(answer)
    check(len(good) == 1, "exactly 1 OK", f"{len(good)} OK")


@case("K-43b", "an assertion used at /revoke or /introspect is not good at /token again", gate=1)
async def jti_elsewhere(s):
    code = await s.code("jwt")
    value = claims()(s, code.client)
    revoked = await s.wire.form(s.url("revoke"), [("token", "unknown"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", value)])
    check(revoked.status in (200, 401), "200 from /revoke", revoked)
    answer = await send(s, code, value)
    if answer.status == 200:
        return "a revocation without effect did not use the jti up"
    expect.token_401(answer)


@case("K-46", "the same jti from two clients is OK for both", gate=1)
async def jti_of_two(s):
    client = await s.registered(method="private_key_jwt", key=Key.ec("second"))
    jti = s.random()
    for who in (s.client("jwt"), client):
        code = await s.code(who)
        expect.token_ok(await send(s, code, assertion(who.key, who.client_id, s.issuer, jti=jti)))


not_applicable("K-47", "a jti outlives a restart and its row outlives exp + skew", "restarting the server is not this suite's to do; the core's tests cover it")


async def mixed(s, change, errors, add=()):
    code = await s.code("jwt")
    expect.refused(await s.redeem(code, add=list(add), **change), *errors)
    expect.token_ok(await s.redeem(code))


@case("K-49", "an assertion twice, or an assertion beside a secret, is invalid_request", gate=1)
async def assertion_and(s):
    code = await s.code("jwt")
    value = claims()(s, code.client)
    expect.token_error(await send(s, code, value, add=[("client_assertion", value)]), "invalid_request")
    expect.token_error(await send(s, code, value, add=[("client_assertion_type", ASSERTION_TYPE)]), "invalid_request")
    expect.token_error(await send(s, code, value, add=[("client_secret", "x")]), "invalid_request")
    pairs = edit(s.t0(code), drop="client_id", client_assertion_type=ASSERTION_TYPE, client_assertion=value)
    expect.refused(await with_header(s, code, basic(code.client.client_id, "x"), pairs=pairs), "invalid_request")
    expect.token_ok(await s.redeem(code))


row("K-48a", "another client_assertion_type is refused", lambda s: mixed(s, {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, ["invalid_request"]))
row("K-48b", "client_assertion without its type is refused", lambda s: mixed(s, {"drop": "client_assertion_type"}, ["invalid_request"]))
row("K-48c", "client_assertion_type without an assertion is refused", lambda s: mixed(s, {"drop": "client_assertion"}, ["invalid_request"]))
row("K-48d", "an empty assertion is refused", lambda s: mixed(s, {"client_assertion": ""}, ["invalid_request"]))
row("K-50", "a client_id beside an assertion of another client is refused", lambda s: mixed(s, {"client_id": s.client("public").client_id}, ["invalid_request"]))


@case("K-50b", "an assertion signed by another client's key in this client's name is 401")
async def foreign_key(s):
    other = await s.registered(method="private_key_jwt", key=Key.ec("mine"))
    code = await s.code("jwt")
    expect.token_401(await send(s, code, assertion(other.key, code.client.client_id, s.issuer)))
    expect.token_401(await send(s, code, assertion(other.key, other.client_id, s.issuer, sub=code.client.client_id)))
    expect.token_ok(await s.redeem(code))


@case("K-51", "a public client with an assertion is 401")
async def public_with_assertion(s):
    code = await s.code()
    expect.token_401(await send(s, code, assertion(Key.ec(), code.client.client_id, s.issuer)))
    expect.token_ok(await s.redeem(code))


@case("K-53", "a jwks_uri that redirects is not followed: 401")
async def jwks_redirect(s):
    from ..documents import Reply, json_reply
    async with s.document_host() as host:
        key = Key.ec()
        host.serve("/real.json", json_reply({"keys": [key.jwk]}))
        host.serve("/jwks.json", Reply(302, b"", [("Location", host.origin + "/real.json")]))
        client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=host.origin + "/jwks.json")
        code = await s.code(s.document_client(host, client_id, key=key))
        expect.token_401(await s.redeem(code))
        check(host.count("/real.json") == 0, "the redirect not followed", "followed")


async def key_set(s, reply):
    async with s.document_host() as host:
        key = Key.ec()
        host.serve("/jwks.json", reply(key))
        client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=host.origin + "/jwks.json")
        code = await s.code(s.document_client(host, client_id, key=key))
        return await s.redeem(code), host.count("/jwks.json")


@case("K-53b", "a jwks_uri that answers with the key is OK")
async def jwks_good(s):
    from ..documents import json_reply
    expect.token_ok((await key_set(s, lambda k: json_reply({"keys": [k.jwk]})))[0])


async def bad_key_set(s, reply):
    expect.token_401((await key_set(s, reply))[0])


def _replies():
    from ..documents import Reply, json_reply
    return {
        "is a redirect": lambda k: Reply(301, b"", [("Location", "/jwks.json")]), "is a 404": lambda k: json_reply({"keys": [k.jwk]}, status=404), "is a 500": lambda k: json_reply({"keys": [k.jwk]}, status=500),
        "is an array": lambda k: json_reply([k.jwk]), "has keys twice": lambda k: json_reply('{"keys":[],"keys":[%s]}' % json.dumps(k.jwk)), "has no keys": lambda k: json_reply({"keys": []}),
        "is 2 MB": lambda k: json_reply({"keys": [k.jwk], "x": "y" * 2_000_000}), "holds the private key": lambda k: json_reply({"keys": [k.private_jwk]}),
        "has the key under two equal kids": lambda k: json_reply({"keys": [{**Key.ec(k.jwk["kid"]).jwk}, k.jwk]}), "has only an encryption key": lambda k: json_reply({"keys": [{**k.jwk, "use": "enc"}]}),
    }


for number, (what, reply) in enumerate(_replies().items()):
    row(f"K-53.{number}", f"a key set that {what} is 401", bad_key_set, reply)


@case("K-54", "100 unknown kids cause at most one refetch of the key set", alone=True)
async def kid_flood(s):
    from ..documents import json_reply
    async with s.document_host() as host:
        key = Key.ec()
        host.serve("/jwks.json", json_reply({"keys": [key.jwk]}))
        client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=host.origin + "/jwks.json")
        client = s.document_client(host, client_id, key=key)
        expect.token_ok(await s.redeem(await s.code(client)))
        code, before = await s.code(client), host.count("/jwks.json")
        for _ in range(4):
            answers = await asyncio.gather(*(send(s, code, assertion(key, client_id, s.issuer, header={"kid": f"unknown-{s.random(8)}"})) for _ in range(25)))
            for answer in answers:
                check(answer.status in (401, 429), "401 or 429", answer)
        fetched = host.count("/jwks.json") - before
        check(fetched <= 2, "one refetch per back-off period (two at most in this time)", f"{fetched} refetches")
        return f"{fetched} refetches"


@case("K-56", "metadata names the signing algorithms of assertions, and never none or HMAC")
async def advertised(s):
    methods = s.metadata.get("token_endpoint_auth_methods_supported", [])
    algorithms = s.metadata.get("token_endpoint_auth_signing_alg_values_supported", [])
    check("none" in methods, "`none` among the methods (Claude asks for it)", methods)
    check("private_key_jwt" not in methods or algorithms, "algorithms beside private_key_jwt", algorithms)
    check(not [a for a in algorithms if a == "none" or a.startswith("HS")], "no none, no HMAC", algorithms)

"""H: HTTP, encoding and limits of every endpoint."""

import asyncio
import base64
import json
import random
from urllib.parse import quote

from .. import expect
from ..case import case, check, not_applicable, row
from ..jose import ASSERTION_TYPE
from ..suite import Code
from ..wire import edit, encode

FORM = ("Content-Type", "application/x-www-form-urlencoded")


async def unspent(s, code):
    expect.token_ok(await s.redeem(code))


async def typed(s, headers, make, statuses=(400, 415)):
    code = await s.code()
    answer = await s.wire.send("POST", s.url("token"), headers=headers, body=make(s.t0(code)))
    check(answer.status in statuses, f"status {' or '.join(map(str, statuses))}", answer)
    if answer.status == 400:
        expect.token_error(answer, ("invalid_request", "invalid_grant"))
    if 200 not in statuses:
        await unspent(s, code)


def multipart(pairs):
    return "".join(f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in pairs) + "--x--\r\n"


row("H-01", "/token with a JSON body is 415 or invalid_request, unspent", typed, [("Content-Type", "application/json")], lambda p: json.dumps(dict(p)))
row("H-01b", "/token with a form labelled application/json is 415 or invalid_request, unspent", typed, [("Content-Type", "application/json")], encode)
row("H-02", "/token without a Content-Type is 415 or invalid_request, unspent", typed, [], encode)
row("H-02b", "/token as text/plain is 415 or invalid_request, unspent", typed, [("Content-Type", "text/plain")], encode)
row("H-03", "/token with charset=UTF-8 beside the form type is OK", typed, [("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")], encode, (200,))
row("H-03b", "/token with the form type in capitals is OK", typed, [("Content-Type", "Application/X-WWW-Form-URLencoded")], encode, (200,))
row("H-12", "/token with a multipart form is 415 or invalid_request, unspent", typed, [("Content-Type", "multipart/form-data; boundary=x")], multipart)
row("H-16", "/token with two Content-Type headers is refused, unspent", typed, [FORM, ("Content-Type", "application/json")], encode)


async def too_large(s, endpoint, size):
    body = b"x=" + b"a" * (size - 2)
    media_type = "application/json" if endpoint == "register" else FORM[1]
    answer = await s.wire.raw(s.wire.request_bytes("POST", s.path(endpoint), [("Content-Type", media_type)], body))
    check(answer is None or answer.status == 413, "413", answer)
    return "the connection was closed" if answer is None else None


for endpoint in ("token", "revoke", "introspect", "register", "consent", "authorize"):
    row(f"H-04.{endpoint}", f"a body of 64 KiB + 1 at /{endpoint} is 413", too_large, endpoint, 65537)
row("H-04.big", "a body of 20 MB at /token is 413, or the connection is closed", too_large, "token", 20_000_000)


@case("H-04.chunked", "a chunked body beyond the limit is 413, or the connection is closed")
async def chunked(s):
    piece = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    answer = await s.wire.raw(s.wire.request_bytes("POST", s.path("token"), [FORM, ("Transfer-Encoding", "chunked")], piece * 40 + b"0\r\n\r\n"))
    check(answer is None or answer.status == 413, "413", answer)


@case("H-05a", "10 000 parameters are invalid_request (or 413)")
async def many_parameters(s):
    for body in ("&".join(f"p{n}=" for n in range(7000)), "a=1&" * 10_000, "&" * 60_000):
        answer = await s.wire.form(s.url("token"), body)
        check(answer.status in (400, 401, 413), "400 or 413 (401 where nothing names a client)", answer)


@case("H-05b", "one parameter name of 60 KB is invalid_request")
async def long_name(s):
    answer = await s.wire.form(s.url("token"), "n" * 60_000 + "=1")
    check(answer.status in (400, 413), "400 or 413", answer)


@case("H-05c", "a query of 60 KB at /authorize is a page or 414 or 431")
async def long_query(s):
    target = f"{s.path('authorize')}?{encode(s.a0())}&x={'a' * 60_000}"
    answer = await s.wire.raw(s.wire.request_bytes("GET", target))
    check(answer is None or answer.status in (200, 302, 303, 400, 414, 431), "a page, the sign-in, 414 or 431", answer)


# -- H-06: every known parameter of every endpoint twice, one by one -------------------------------------------------


async def code_parameter_twice(s, name, value):
    code = await s.code()
    pairs = s.t0(code)
    twice = dict(pairs).get(name, value)
    add = [(name, twice)] if name in dict(pairs) else [(name, twice), (name, twice)]
    expect.token_error(await s.wire.form(s.url("token"), edit(pairs, add=add)), "invalid_request")
    await unspent(s, code)


for name, value in (("grant_type", ""), ("code", ""), ("client_id", ""), ("redirect_uri", ""), ("code_verifier", ""), ("scope", "notes:read"), ("client_secret", "x"), ("client_assertion", "x"), ("client_assertion_type", ASSERTION_TYPE)):
    row(f"H-06.token.{name}", f"/token: {name} twice is invalid_request, unspent", code_parameter_twice, name, value)


@case("H-06.token.resource", "/token: resource twice is invalid_target or invalid_request, unspent; or one and the same")
async def resource_twice(s):
    code = await s.code()
    answer = await s.redeem(code, add=[("resource", s.resource("mcp"))])
    if answer.status != 200:
        expect.token_error(answer, ("invalid_target", "invalid_request"))
        await unspent(s, code)


async def refresh_parameter_twice(s, name, value):
    tokens = await s.tokens()
    pairs = s.f0(tokens)
    add = [(name, dict(pairs)[name])] if name in dict(pairs) else [(name, value), (name, value)]
    expect.token_error(await s.wire.form(s.url("token"), edit(pairs, add=add)), "invalid_request")
    await expect.alive(s, tokens)


for name, value in (("grant_type", ""), ("refresh_token", ""), ("client_id", ""), ("scope", "notes:read")):
    row(f"H-06.refresh.{name}", f"/token (refresh): {name} twice is invalid_request, no rotation", refresh_parameter_twice, name, value)


async def endpoint_parameter_twice(s, endpoint, name):
    client = s.client("confidential")
    tokens = await s.tokens(client)
    values = {"token": tokens.access_token, "token_type_hint": "access_token"}
    pairs = [*values.items(), (name, values.get(name, client.client_id))]
    if name == "client_id":
        pairs.append((name, client.client_id))
    answer = await s.wire.form(s.url(endpoint), pairs, headers=[("Authorization", client.basic)])
    expect.token_error(answer, "invalid_request")
    await expect.alive(s, tokens)


for endpoint in ("revoke", "introspect"):
    for name in ("token", "token_type_hint", "client_id"):
        row(f"H-06.{endpoint}.{name}", f"/{endpoint}: {name} twice is invalid_request", endpoint_parameter_twice, endpoint, name)


async def authorize_parameter_twice(s, name, value):
    pairs = s.a0()
    add = [(name, value)] if name in dict(pairs) else [(name, value), (name, value)]
    answer = await s.asks(edit(pairs, add=add))
    expect.redirected(s, answer, ("invalid_request", "request_not_supported", "request_uri_not_supported"), redirect=s.client("public").redirect)


for name, value in (("scope", "notes:read"), ("code_challenge", "B" * 43), ("code_challenge_method", "S256"), ("response_type", "code"), ("response_mode", "query"), ("request", "x"), ("request_uri", "https://x.example/")):
    row(f"H-06.authorize.{name}", f"/authorize: {name} twice is an error at the client's redirect", authorize_parameter_twice, name, value)


async def consent_parameter_twice(s, name):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    values = {**dict(shown.form.hidden), "decision": "approve"}
    s.need(name in values, f"the form has no {name}")
    answer = await browser.decide(shown, add=[(name, values[name])])
    expect.page(answer)
    check("code=" not in (answer.location or ""), "no code", answer)


for name in ("ticket", "seal", "decision"):
    row(f"H-06.consent.{name}", f"/consent: {name} twice is a page", consent_parameter_twice, name)


# -- values ---------------------------------------------------------------------------------------------------------


@case("H-07", "a parameter without a value is as if omitted")
async def empty_values(s):
    code = await s.code()
    expect.token_error(await s.redeem(code, code=""), "invalid_request")
    expect.token_error(await s.redeem(code, grant_type=""), "invalid_request")
    expect.token_ok(await s.redeem(code, scope="", client_secret=""))


for number, (grant, error) in enumerate((("password", "unsupported_grant_type"), ("implicit", "unsupported_grant_type"), ("client_credentials", "unsupported_grant_type"), ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:token-exchange", "unsupported_grant_type"), ("urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type"), ("Authorization_Code", "unsupported_grant_type"), ("authorization_code ", "unsupported_grant_type"), ("authorization_code\x00", "unsupported_grant_type"), ("<script>alert(1)</script>", "unsupported_grant_type"))):
    row(f"H-08.{number}", f"grant_type={ascii(grant)} is refused", lambda s, g, e: _grant_type(s, g, e), grant, error)


async def _grant_type(s, grant, error):
    answer = await s.wire.form(s.url("token"), [("grant_type", grant), ("client_id", s.client("public").client_id), ("username", "alice"), ("password", "wonderland")])
    expect.token_error(answer, (error, "invalid_request", "unauthorized_client"))
    check("<script>" not in answer.text, "nothing reflected", answer.text)


for number, value in enumerate(("a\x00b", "a\r\nb", "a\u2028b", "\ud7ff\ue000", "a\tb", "\x1b[2J", "a\u202eb")):
    row(f"H-09.{number}", f"the value {ascii(value)} in any parameter is refused or opaque, never a 5xx", lambda s, v: _odd_value(s, v), value)


async def _odd_value(s, value):
    client = s.client("public")
    base = s.t0(Code("x" * 40, client, client.redirect, "mcp"))
    for name in ("code", "client_id", "redirect_uri", "code_verifier", "resource", "scope", "grant_type"):
        answer = await s.wire.form(s.url("token"), edit(base, **{name: value}))
        check(answer.status in (400, 401), "400 or 401", answer)
    answer = await s.revoke(value)
    check(answer.status in (200, 400), "200 or 400", answer)


for number, raw in enumerate(("%zz", "%", "%ff%fe", "%c0%af", "%ed%a0%80", "%u0041")):
    row(f"H-09.r{number}", f"the raw value {raw} in a form is invalid_request", lambda s, r: _raw_value(s, r), raw)


async def _raw_value(s, raw):
    for name in ("code", "x"):
        answer = await s.wire.form(s.url("token"), f"grant_type=authorization_code&client_id={quote(s.client('public').client_id)}&{name}={raw}")
        expect.refused(answer, "invalid_request", "invalid_grant")


@case("H-10", "percent-decoding is done once: a code encoded twice is another code")
async def decoded_once(s):
    code = await s.code()
    twice = "".join(f"%25{ord(c):02X}" for c in code.code)
    body = encode(edit(s.t0(code), drop="code")) + "&code=" + twice
    expect.token_error(await s.wire.form(s.url("token"), body), ("invalid_grant", "invalid_request"))
    once = "".join(f"%{ord(c):02x}" for c in code.code)
    expect.token_ok(await s.wire.form(s.url("token"), encode(edit(s.t0(code), drop="code")) + "&code=" + once))


@case("H-11", "+ in a form is a space: a verifier's or code's own signs are not rewritten")
async def plus(s):
    tokens = await s.tokens()
    answer = await s.wire.form(s.url("token"), encode(s.f0(tokens)) + "&scope=" + s.read_scope.replace(":", "%3A") + "+" + s.write_scope.replace(":", "%3A"))
    value = expect.token_ok(answer)
    check(set(value.get("scope", f"{s.read_scope} {s.write_scope}").split()) == {s.read_scope, s.write_scope}, "two scopes", value.get("scope"))


@case("H-14", "an error never carries the input: quotes, CRLF and 10 KB stay out of error_description")
async def no_echo(s):
    client = s.client("public")
    for marker in ('"quoted\\"', "line\r\nSet-Cookie: x=1", "M" * 10_000, "caf\u00e9"):
        for change in ({"grant_type": marker}, {"resource": "https://x.example/" + marker}, {"client_id": marker}, {"redirect_uri": marker}):
            answer = await s.wire.form(s.url("token"), edit(s.t0(Code("x", client, client.redirect, "mcp")), **change))
            check(answer.status in (400, 401) and len(answer.body) < 2000 and marker not in answer.text, "a short answer without the input", answer)
        answer = await s.asks(edit(s.a0(), scope=marker + '"'))
        check(len(answer.location or "") < 3000 and answer.header("set-cookie") is None or "x=1" not in str(answer.all("set-cookie")), "no input in headers", answer)


# -- HTTP -----------------------------------------------------------------------------------------------------------


@case("H-15", "Transfer-Encoding beside Content-Length is refused, unspent")
async def smuggling(s):
    code = await s.code()
    body = encode(s.t0(code)).encode()
    message = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    for length in (str(len(message)), "4"):
        answer = await s.wire.raw(s.wire.request_bytes("POST", s.path("token"), [FORM, ("Content-Length", length), ("Transfer-Encoding", "chunked")], message))
        check(answer is None or answer.status in (400, 411, 413, 501), "refused", answer)
    await unspent(s, code)


for number, lengths in enumerate((["5", "6"], ["-1"], ["1e3"], ["+5"], ["0x10"])):
    row(f"H-15.{number}", f"Content-Length {' and '.join(lengths)} is refused", lambda s, ls: _lengths(s, ls), lengths)


async def _lengths(s, lengths):
    answer = await s.wire.raw(s.wire.request_bytes("POST", s.path("token"), [FORM, *(("Content-Length", x) for x in lengths)], b"a=1&b="), timeout=8)
    check(answer is None or answer.status == 400, "400, or the connection closed", answer)


@case("H-17", "CORS at /token: a preflight is allowed for any origin, without credentials")
async def cors(s):
    for endpoint in ("token", "revoke", "register"):
        if endpoint == "register" and s.fixture.get("registration") != "open":
            continue
        answer = await s.wire.send("OPTIONS", s.url(endpoint), headers=[("Origin", "https://inspector.example"), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")])
        check(answer.status in (200, 204) and answer.header("access-control-allow-origin") in ("*", "https://inspector.example"), "the preflight allowed", (answer, answer.headers))
        check(answer.header("access-control-allow-credentials") is None, "no credentials", answer.headers)


@case("H-17b", "no CORS at /authorize and /consent")
async def no_cors(s):
    browser = await s.browser()
    for endpoint in ("authorize", "consent"):
        answer = await browser.get(s.url(endpoint) + "?" + encode(s.a0()), headers=[("Origin", "https://evil.example")])
        check(answer.header("access-control-allow-origin") is None, "no Access-Control-Allow-Origin", answer.headers)


PATHS = ("/token/", "//token", "/TOKEN", "/token;x", "/token;/", "/./token", "/x/../token", "/token%2f", "/token%00", "/token.json", "/%2ftoken", "/token?", "/token%20", "/;/token", "/..;/token", "\\token")
for number, path in enumerate(PATHS):
    row(f"H-19.{number}", f"{path} is 404, or exactly the route; never a redirect that carries the form along", lambda s, p: _path(s, p), path)
row("H-19.enc", "/%74oken is 404 or the exact route", lambda s: _path(s, "/%74oken"))


async def _path(s, path):
    prefix = s.path("token")[: -len("/token")]
    client = s.client("public")
    body = encode(s.t0(Code("x" * 40, client, client.redirect, "mcp"))).encode()
    answer = await s.wire.raw(s.wire.request_bytes("POST", prefix + path, [FORM], body))
    if answer is None or answer.status in (404, 405, 403):
        return f"{answer.status if answer else 'closed'}"
    check(answer.status in (400, 401) and answer.location is None, "404, or the route's own refusal", answer)


METHODS = {"token": "POST", "revoke": "POST", "introspect": "POST", "consent": "POST"}
for endpoint in METHODS:
    for method in ("PUT", "DELETE", "PATCH") + (("GET",) if endpoint != "consent" else ()):
        row(f"H-20.{endpoint}.{method.lower()}", f"{method} /{endpoint} is 405 with Allow", lambda s, e, m: _method(s, e, m), endpoint, method)


async def _method(s, endpoint, method):
    answer = await s.wire.send(method, s.url(endpoint))
    check(answer.status == 405 and "POST" in (answer.header("allow") or ""), "405 with Allow: POST", answer)


for number, method in enumerate(("TRACE", "CONNECT", "PROPFIND", "post", "FOO")):
    row(f"H-20.{number}", f"{method} at /token is never an OK", lambda s, m: _odd_method(s, m), method)


async def _odd_method(s, method):
    code = await s.code()
    answer = await s.wire.raw(s.wire.request_bytes(method, s.path("token"), [FORM], encode(s.t0(code)).encode()))
    check(answer is None or answer.status in (400, 404, 405, 501), "405", answer)
    await unspent(s, code)


for header in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
    row(f"H-21.{header.lower()}", f"{header} is not obeyed", lambda s, h: _override(s, h), header)


async def _override(s, header):
    code = await s.code()
    answer = await s.wire.send("GET", s.url("token") + "?" + encode(s.t0(code)), headers=[(header, "POST")])
    check(answer.status == 405, "405", answer)
    await unspent(s, code)


not_applicable("H-22", "an issuer of plain http (not loopback) is refused at configuration", "needs another configuration; the core's tests cover it")


@case("H-23a", "HTTP/1.0 without Host: the issuer comes from the configuration")
async def without_host(s):
    answer = await s.wire.raw(s.wire.request_bytes("GET", s.well_known("oauth-authorization-server")[len(s.base):], version="1.0", host=None))
    check(answer is None or answer.status in (200, 400, 421), "200 or 400", answer)
    if answer and answer.status == 200:
        check(answer.json()["issuer"] == s.issuer, s.issuer, answer)


@case("H-23b", "an absolute-form target for another host: the issuer comes from the configuration")
async def absolute_form(s):
    path = s.well_known("oauth-authorization-server")[len(s.base):]
    for target in ("http://evil.example" + path, "http://evil.example" + s.path("authorize") + "?" + encode(s.a0())):
        answer = await s.wire.raw(s.wire.request_bytes("GET", target))
        check(answer is None or ("evil.example" not in answer.text + (answer.location or "")), "nothing of the target's host", answer)


@case("H-23c", "two Host headers are refused, or decide nothing")
async def two_hosts(s):
    answer = await s.wire.raw(s.wire.request_bytes("GET", s.well_known("oauth-authorization-server")[len(s.base):], [("Host", "evil.example")]))
    check(answer is None or "evil.example" not in answer.text, "nothing of the second host", answer)


async def fuzz(s, seed):
    """Random bytes wherever a peer may put them: any refusal is right, a 5xx or a token never is."""
    dice = random.Random(seed)
    noise = lambda n: bytes(dice.randrange(256) for _ in range(dice.randrange(n)))
    visible = lambda n: "".join(chr(dice.randrange(33, 127)) for _ in range(dice.randrange(1, n)))
    client = s.client("public")
    for _ in range(6):
        kind = dice.randrange(6)
        if kind == 0:
            answer = await s.wire.send("POST", s.url(dice.choice(("token", "revoke", "introspect"))), headers=[FORM], body=noise(300))
        elif kind == 1:
            answer = await s.wire.send("GET", f"{s.url('authorize')}?{quote(noise(200), safe='%&=+;')}")
        elif kind == 2:
            answer = await s.wire.send("POST", s.url("token"), headers=[FORM, ("Authorization", visible(200))], body=encode([("grant_type", "refresh_token")]))
        elif kind == 3:
            answer = await s.wire.send("POST", s.url("register"), headers=[("Content-Type", "application/json")], body=noise(300) if dice.random() < 0.5 else json.dumps({visible(20): visible(20), "redirect_uris": [visible(60)]}))
        elif kind == 4:
            answer = await s.call(visible(300))
        else:
            header, body = base64.urlsafe_b64encode(noise(60)).decode(), base64.urlsafe_b64encode(noise(60)).decode()
            answer = await s.wire.form(s.url("token"), [("grant_type", "refresh_token"), ("refresh_token", visible(80)), ("client_id", client.client_id), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", f"{header}.{body}.{body}")])
        check(answer.status in (200, 303, 400, 401, 403, 404, 405, 413, 415, 429), "a refusal", answer)
        check("access_token" not in answer.text, "no token", answer)


for number in range(20):
    row(f"H-24.{number}", f"random bytes as form, query, header, JSON, bearer token and JWT (seed {number}) are refused without a 5xx", fuzz, 0x10C5 + number, gate=1)

NASTY_JSON = {
    "100 000 opening brackets": "[" * 60_000, "nested objects": '{"a":' * 10_000, "a number of 50 000 digits": '{"redirect_uris":' + "9" * 50_000 + "}", "1e99999": '{"redirect_uris":["https://client.example/cb"],"x":1e99999}',
    "20 000 members": "{" + ",".join(f'"m{n}":0' for n in range(6_000)) + "}", "__proto__": '{"__proto__":{"redirect_uris":["https://evil.example/"]},"redirect_uris":[]}', "escaped duplicate": '{"redirect_uris":["https://client.example/cb"],"redirect_ur\\u0069s":["https://evil.example/"]}',
}
for number, (what, body) in enumerate(NASTY_JSON.items()):
    row(f"H-25.{number}", f"pathological JSON ({what}) at /register is 400", lambda s, b, w: _nasty(s, b, w), body, what, gate=1)


async def _nasty(s, body, what):
    s.need_registration()
    answer = await s.post_registration(body)
    if what == "1e99999" and answer.status == 201:
        return "ignored"
    check(answer.status in (400, 413), "400", answer)


for number, (name, value) in enumerate((("Cookie", "lockstep=" + "A" * 16_000), ("Cookie", "; ".join(f"c{n}=x" for n in range(1500))), ("Cookie", 'lockstep="; lockstep=x; =; ;;'), ("Authorization", "Bearer " + "A" * 30_000), ("Accept-Language", "a," * 5000), ("Cookie", "__Host-lockstep=%00%ff; lockstep=\xe9"))):
    row(f"H-26.{number}", f"a {name} header of {len(value)} signs ({value[:14]}…) never makes a 5xx", lambda s, n, v: _long_header(s, n, v), name, value)


async def _long_header(s, name, value):
    for target in (f"{s.path('authorize')}?{encode(s.a0())}", s.well_known("oauth-authorization-server")[len(s.base):]):
        answer = await s.wire.raw(s.wire.request_bytes("GET", target, [(name, value)]))
        check(answer is None or answer.status < 500, "no 5xx", answer)


@case("H-27", "100 idle connections and 20 half-sent requests do not stop the server")
async def slow_peers(s):
    from urllib.parse import urlsplit
    parts = urlsplit(s.base)
    opened = []
    try:
        for number in range(120):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            if number < 20:
                writer.write(s.wire.request_bytes("POST", s.path("token"), [FORM, ("Content-Length", "100")], b"grant"))
            opened.append(writer)
        expect.token_ok(await s.redeem(await s.code()))
    finally:
        for writer in opened:
            writer.close()


@case("H-28", "Bearer at /token authenticates nobody")
async def bearer_at_token(s):
    code = await s.code("confidential")
    answer = await s.wire.form(s.url("token"), s.t0(code), headers=[("Authorization", "Bearer " + code.client.secret)])
    expect.refused(answer, "invalid_request")
    await unspent(s, code)

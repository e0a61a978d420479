"""D: dynamic registration and management."""

import asyncio
import json

from .. import expect
from ..case import case, check, not_applicable, row

GOOD = {"redirect_uris": ["https://client.example/cb"], "client_name": "Blackbox", "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}


async def registered(s, **change):
    s.need_registration()
    return await s.post_registration({k: v for k, v in {**GOOD, **change}.items() if v is not None})


def created(answer):
    check(answer.status == 201, "201", answer)
    check("no-store" in (answer.header("cache-control") or ""), "Cache-Control: no-store", answer.headers)
    value = answer.json()
    check(value.get("client_id") and None not in value.values() and "" not in value.values(), "client_id, and no null or empty member", value)
    return value


def refused(answer, *errors):
    errors = errors or ("invalid_client_metadata",)
    check(answer.status == 400 and answer.error() in errors, f"400 {'|'.join(errors)}", answer)


@case("D-01", "a minimal registration is 201 with all registered metadata echoed, no-store")
async def minimal(s):
    s.need_registration()
    value = created(await s.post_registration({"redirect_uris": ["https://client.example/cb"]}))
    check(value.get("redirect_uris") == ["https://client.example/cb"], "redirect_uris echoed", value)
    check(value.get("grant_types") and value.get("response_types") and value.get("token_endpoint_auth_method"), "the defaults named", value)


@case("D-01b", "a registered client goes through a whole flow")
async def whole_flow(s):
    await expect.alive(s, await s.tokens(await s.registered()))


@case("D-01c", "with client_secret_basic (also by default) there is a secret and client_secret_expires_at; with none there is neither")
async def secrets_given(s):
    for method in ("client_secret_basic", "client_secret_post", None):
        value = created(await registered(s, token_endpoint_auth_method=method))
        check(value.get("client_secret") and isinstance(value.get("client_secret_expires_at"), int), f"a secret for {method}", value.keys())
    value = created(await registered(s))
    check("client_secret" not in value and "client_secret_expires_at" not in value, "no secret for none (Claude Code would use it)", value.keys())


for number, (what, change, errors) in enumerate((
    ("no redirect_uris", {"redirect_uris": None}, ("invalid_redirect_uri", "invalid_client_metadata")), ("empty redirect_uris", {"redirect_uris": []}, ("invalid_redirect_uri", "invalid_client_metadata")),
    ("redirect_uris as a string", {"redirect_uris": "https://client.example/cb"}, ("invalid_redirect_uri", "invalid_client_metadata")), ("a number in redirect_uris", {"redirect_uris": [1]}, ("invalid_redirect_uri", "invalid_client_metadata")),
    ("1500 redirect_uris", {"redirect_uris": ["https://client.example/cb"] * 1500}, ("invalid_redirect_uri", "invalid_client_metadata")), ("an object as redirect", {"redirect_uris": [{}]}, ("invalid_redirect_uri", "invalid_client_metadata")))):
    row(f"D-02.{number}", f"{what} is 400", lambda s, c, e: _refused(s, c, e), change, errors)


async def _refused(s, change, errors):
    refused(await registered(s, **change), *errors)


BODIES = {
    "broken JSON": "{", "an array": "[]", "a string": '"x"', "null": "null", "nothing": "", "a duplicate member": '{"redirect_uris":["https://client.example/cb"],"redirect_uris":["https://evil.example/"]}',
    "NaN": '{"redirect_uris":["https://client.example/cb"],"x":NaN}', "deep nesting": '{"x":' * 3000 + "1" + "}" * 3000, "a lone surrogate": '{"redirect_uris":["https://client.example/cb"],"client_name":"\\ud800"}',
    "garbage after the object": json.dumps(GOOD) + "x", "two objects": json.dumps(GOOD) * 2, "a huge number": '{"redirect_uris":["https://client.example/cb"],"default_max_age":' + "9" * 400 + "}",
}
for number, (what, body) in enumerate(BODIES.items()):
    row(f"D-03.{number}", f"a body of {what} is 400" if what != "a huge number" else "a number of 400 digits is 400 or ignored", lambda s, b, w: _body(s, b, w), body, what)


async def _body(s, body, what):
    s.need_registration()
    answer = await s.post_registration(body)
    if what == "a huge number" and answer.status == 201:
        return "ignored"
    refused(answer, "invalid_client_metadata", "invalid_redirect_uri", "invalid_request")


for number, media_type in enumerate(("application/x-www-form-urlencoded", "text/plain", "text/html", "multipart/form-data; boundary=x")):
    row(f"D-03.t{number}", f"a registration as {media_type} is 400 or 415 (no cross-site form may register)", lambda s, m: _media_type(s, m), media_type)


async def _media_type(s, media_type):
    s.need_registration()
    answer = await s.post_registration(GOOD, media_type=media_type)
    check(answer.status in (400, 415), "400 or 415", answer)


@case("D-04", "unknown members are ignored and not echoed; the client cannot choose its id, secret or tokens")
async def unknown_members(s):
    chosen = {"client_id": "chosen", "client_secret": "chosen", "registration_access_token": "chosen", "registration_client_uri": "https://evil.example/", "client_id_issued_at": 1, "is_admin": True, "subject": "alice"}
    answer = await registered(s, token_endpoint_auth_method="client_secret_basic", **chosen)
    if answer.status == 400:
        return "refused"
    value = created(answer)
    check(not [k for k, v in chosen.items() if value.get(k) == v], "nothing chosen by the client", value)


@case("D-05", "a scope beyond policy is narrowed in the answer or 400, and never granted")
async def scope_beyond(s):
    answer = await registered(s, scope=f"{s.read_scope} admin:everything")
    if answer.status == 400:
        return refused(answer)
    check("admin:everything" not in created(answer).get("scope", "").split(), "the scope narrowed", answer)


for number, (what, change) in enumerate((
    ("the implicit grant", {"grant_types": ["implicit"], "response_types": ["token"]}), ("the password grant only", {"grant_types": ["password"]}), ("response_types token", {"response_types": ["token"]}),
    ("grant_types as a string", {"grant_types": "authorization_code"}), ("an unknown auth method", {"token_endpoint_auth_method": "x"}), ("client_secret_jwt", {"token_endpoint_auth_method": "client_secret_jwt"}),
    ("private_key_jwt without keys", {"token_endpoint_auth_method": "private_key_jwt"}), ("a number as client_name", {"client_name": 1}), ("an array as scope", {"scope": ["a"]}), ("a scope with a quote", {"scope": 'a"b'}))):
    row(f"D-06.{number}", f"{what} is 400 invalid_client_metadata", lambda s, c: _refused(s, c, ()), change)


@case("D-07", "jwks and jwks_uri together are 400 invalid_client_metadata")
async def both_keys(s):
    from ..jose import Key
    refused(await registered(s, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [Key.ec().jwk]}, jwks_uri="https://client.example/jwks.json"))


@case("D-08", "jwks_uri, logo_uri and others at internal addresses are 400 or never fetched")
async def internal(s):
    from ..documents import DocumentHost
    s.need_registration()
    async with DocumentHost() as host:
        for member in ("jwks_uri", "logo_uri", "sector_identifier_uri", "policy_uri", "tos_uri", "client_uri"):
            for url in ("http://169.254.169.254/latest", host.origin + "/x"):
                answer = await registered(s, **{member: url}, **({"token_endpoint_auth_method": "private_key_jwt"} if member == "jwks_uri" else {}))
                check(answer.status in (201, 400), "201 or 400", answer)
        check(host.count() == 0, "no fetch at registration", f"{host.count()}")


for number, url in enumerate(("javascript:alert(1)", "data:text/html,<script>alert(1)</script>")):
    row(f"D-09.{number}", f"client_uri, logo_uri, policy_uri {url[:16]} are refused or dropped, never linked from the page", lambda s, u: _linked(s, u), url)


async def _linked(s, url):
    s.need_registration()
    for member in ("client_uri", "logo_uri", "policy_uri", "tos_uri"):
        answer = await registered(s, **{member: url})
        if answer.status == 400:
            refused(answer)
            continue
        from ..suite import Client
        shown = await s.asks(s.a0(Client(created(answer)["client_id"], GOOD["redirect_uris"])))
        expect.consent(shown)
        check(url not in shown.text and 'href="javascript' not in shown.text.lower(), "not on the page", member)


for number, name in enumerate(("x" * 50_000, "a\nb", "a\x00b", "\x1b[31mred")):
    row(f"D-10.{number}", f"client_name {ascii(name[:12])} ({len(name)} signs) is 400", lambda s, n: _refused(s, {"client_name": n}, ()), name)


@case("D-10.mb", "a client_name of 1 MB is 400 or 413")
async def megabyte(s):
    s.need_registration()
    body = json.dumps({**GOOD, "client_name": "x" * 1_000_000}).encode()
    answer = await s.wire.raw(s.wire.request_bytes("POST", s.path("register"), [("Content-Type", "application/json")], body))
    check(answer is None or answer.status in (400, 413), "400 or 413", answer)


@case("D-10.html", "a client_name of HTML is shown escaped")
async def html_name(s):
    client = await s.registered(client_name="<script>alert(1)</script>")
    answer = await s.asks(s.a0(client))
    expect.consent(answer)
    check("<script>alert" not in answer.text, "escaped", answer.text[:200])


@case("D-10.bidi", "a client_name with direction overrides is 400, or shown without them")
async def bidi_name(s):
    from ..suite import Client
    answer = await registered(s, client_name="\u202eelgooG")
    if answer.status == 400:
        return refused(answer)
    shown = expect.consent(await s.asks(s.a0(Client(created(answer)["client_id"], GOOD["redirect_uris"]))))
    check("\u202e" not in shown.text, "no direction override on the page", "U+202E")


@case("D-11", "500 registrations from one address: 201 or 429, and those before still work", alone=True)
async def flood(s):
    client, made = await s.registered(), {}
    for _ in range(10):
        answers = await asyncio.gather(*(s.wire.send("POST", s.url("register"), headers=[("Content-Type", "application/json")], body=json.dumps(GOOD)) for _ in range(50)))
        for answer in answers:
            made[answer.status] = made.get(answer.status, 0) + 1
            check(answer.status in (201, 429), "201 or 429", answer)
    expect.consent(await s.asks(s.a0(client)))
    return str(made)


@case("D-12", "with registration off: 404, and no registration_endpoint in the metadata")
async def off(s):
    s.need(s.fixture.get("registration") == "off", "registration is on")
    answer = await s.wire.send("POST", s.issuer + "/register", headers=[("Content-Type", "application/json")], body=json.dumps(GOOD))
    check(answer.status == 404 and "registration_endpoint" not in s.metadata, "404 and not advertised", answer)


@case("D-14", "with guarded registration: no initial access token, or a wrong one, is 401 invalid_token")
async def guarded(s):
    s.need(s.fixture.get("registration") == "guarded", "registration is not guarded")
    for headers in ([], [("Authorization", "Bearer wrong")]):
        answer = await s.post_registration(GOOD, headers=headers)
        check(answer.status == 401 and "invalid_token" in (answer.header("www-authenticate") or "invalid_token"), "401 invalid_token", answer)


@case("D-15", "two registrations of the same metadata get two ids and two secrets")
async def distinct(s):
    one, two = [await s.registered(method="client_secret_basic") for _ in range(2)]
    check(one.client_id != two.client_id and one.secret != two.secret and len(one.secret) >= 22, "two ids, two secrets of at least 128 bits", (one.client_id, two.client_id))


@case("D-16", "GET, PUT and DELETE on /register are 405")
async def other_methods(s):
    s.need_registration()
    for method in ("GET", "PUT", "DELETE"):
        answer = await s.wire.send(method, s.url("register"))
        check(answer.status == 405 and answer.header("allow"), "405 with Allow", answer)


@case("D-20", "the registration is read with its token at its URI")
async def read_back(s):
    s.need_management()
    client = await s.registered()
    answer = await s.manage("GET", client)
    check(answer.status == 200 and answer.json()["client_id"] == client.client_id, "200 with the client", answer)


@case("D-21", "the token of client 1 on the URI of client 2, or of nobody, is 401 or 403 with the same body")
async def foreign_token(s):
    s.need_management()
    one, two = await s.registered(), await s.registered()
    uri = two.registration["registration_client_uri"]
    answers = []
    for url in (uri, uri.replace(two.client_id, "nobody")):
        for method, body in (("GET", None), ("DELETE", None), ("PUT", {**GOOD, "client_id": two.client_id})):
            answer = await s.manage(method, one, url=url, body=body)
            check(answer.status in (401, 403), "401 or 403", answer)
            answers.append((method, answer.status, answer.body.replace(b"nobody", two.client_id.encode())))
    check(answers[:3] == answers[3:], "the same answer for existing and absent ids", answers)
    check((await s.manage("GET", two)).status == 200, "client 2 unharmed", "gone")


for number, token in enumerate(("wrong", "x y", "", "../../", "A" * 5000)):
    row(f"D-21.{number}", f"a registration token {token[:8]!r} is 401 or 400", lambda s, t: _wrong_token(s, t), token)


async def _wrong_token(s, token):
    s.need_management()
    client = await s.registered()
    for method in ("GET", "DELETE"):
        headers = [("Authorization", f"Bearer {token}")] if token else []
        uri = client.registration["registration_client_uri"]
        answer = await s.wire.send(method, s.base + uri[len("/".join(s.issuer.split("/")[:3])):], headers=headers)
        check(answer.status in (400, 401, 403), "401", answer)
    check((await s.manage("GET", client)).status == 200, "the client unharmed", "gone")


@case("D-22", "PUT with another client_id or another client_secret is 400")
async def put_other(s):
    s.need_management()
    client = await s.registered(method="client_secret_basic")
    body = {**GOOD, "token_endpoint_auth_method": "client_secret_basic"}
    for change in ({"client_id": "other"}, {"client_id": client.client_id, "client_secret": "chosen"}, {}):
        answer = await s.manage("PUT", client, body={**body, **change})
        check(answer.status == 400, f"400 for {change or 'no client_id'}", answer)
    expect.token_ok(await s.redeem(await s.code(client)))


@case("D-23", "PUT replaces the redirects: the new one works, the old one is a page")
async def put_replaces(s):
    s.need_management()
    client = await s.registered(["https://client.example/old"])
    answer = await s.manage("PUT", client, body={**GOOD, "client_id": client.client_id, "redirect_uris": ["https://client.example/new"]})
    check(answer.status == 200 and answer.json()["redirect_uris"] == ["https://client.example/new"], "200 with the new redirect", answer)
    expect.consent(await s.asks(s.a0(client, redirect="https://client.example/new")))
    expect.page(await s.asks(s.a0(client, redirect="https://client.example/old")))


@case("D-25", "PUT keeps to the policy of registration: bad redirects, scopes and grants are refused or narrowed")
async def put_policy(s):
    s.need_management()
    client = await s.registered()
    for change in ({"redirect_uris": ["javascript:alert(1)"]}, {"redirect_uris": ["http://evil.example/"]}, {"grant_types": ["implicit"]}, {"redirect_uris": []}):
        answer = await s.manage("PUT", client, body={**GOOD, "client_id": client.client_id, **change})
        check(answer.status == 400, f"400 for {change}", answer)
    answer = await s.manage("PUT", client, body={**GOOD, "client_id": client.client_id, "scope": f"{s.read_scope} admin:everything"})
    check(answer.status == 400 or "admin:everything" not in answer.json().get("scope", "").split(), "narrowed or 400", answer)


@case("D-26", "DELETE is 204; then token and refresh are 401, the access token is dead, and the registration token too")
async def deleted(s):
    s.need_management()
    client = await s.registered()
    tokens = await s.tokens(client)
    answer = await s.manage("DELETE", client)
    check(answer.status == 204 and not answer.body, "204", answer)
    expect.token_401(await s.refresh(tokens))
    await expect.access_dead(s, tokens)
    for method in ("GET", "DELETE"):
        gone = await s.manage(method, client)
        check(gone.status in (401, 403), "401 after DELETE", gone)


@case("D-28", "two PUTs at once end in one of the two, never a mixture")
async def two_puts(s):
    s.need_management()
    client = await s.registered()
    bodies = [{**GOOD, "client_id": client.client_id, "client_name": f"Name {n}", "redirect_uris": [f"https://client.example/{n}"]} for n in (1, 2)]
    for _ in range(3):
        answers = await asyncio.gather(*(s.manage("PUT", client, body=b) for b in bodies * 2))
        token = next((a.json().get("registration_access_token") for a in answers if a.status == 200), None)
        if token:
            client.registration["registration_access_token"] = token
        now = (await s.manage("GET", client)).json()
        check(any(now.get("client_name") == b["client_name"] and now["redirect_uris"] == b["redirect_uris"] for b in bodies), "one of the two", now)


not_applicable("D-24", "the token of a disabled client cannot make it active", "disabling a client is the host's own act; no endpoint does it")
not_applicable("D-29", "registration tokens and secrets are stored hashed or derived", "needs the store; the storage kit looks into it")


@case("D-27", "an access token of a user is no registration token, and the reverse")
async def other_kind(s):
    s.need_management()
    client = await s.registered()
    tokens = await s.tokens(client)
    answer = await s.manage("GET", client, token=tokens.access_token)
    check(answer.status in (401, 403), "401", answer)
    expect.resource_401(s, await s.call(client.registration["registration_access_token"]), "invalid_token")


@case("D-30", "a 7592 URI is in the answer exactly when it is served, at the issuer")
async def consistent(s):
    client = await s.registered()
    uri, token = client.registration.get("registration_client_uri"), client.registration.get("registration_access_token")
    if s.fixture.get("registration_management"):
        check(uri and token and uri.startswith(s.issuer + "/"), "both members, at the issuer", (uri, bool(token)))
    else:
        check(not uri and not token, "neither member", (uri, bool(token)))

"""A: authorization request parameters. Every case is A0 with one change, by a signed-in user unless it says otherwise."""

from urllib.parse import parse_qsl, quote_plus, urlsplit

from .. import expect
from ..browser import Browser, read_consent
from ..case import case, check, not_applicable, row
from ..wire import edit, encode


async def redirects_with(s, error, change, state="s1"):
    query = edit(s.a0(), **change)
    expect.redirected(s, await s.asks(query), error, redirect=s.client("public").redirect, state=state)


async def pages(s, query):
    expect.page(await s.asks(query))


async def shows_consent(s, query):
    expect.consent(await s.asks(query))


@case("A-00", "A0 itself is shown the consent page and approval answers with code, state and iss (the control of this group)", gate=1)
async def control(s):
    expect.granted(s, await s.approved(s.a0()), redirect=s.client("public").redirect)


@case("A-01", "no response_type is invalid_request")
async def no_response_type(s):
    await redirects_with(s, "invalid_request", {"drop": "response_type"})


@case("A-02", "an empty response_type is invalid_request")
async def empty_response_type(s):
    await redirects_with(s, "invalid_request", {"response_type": ""})


for number, value in enumerate(("code token", "code id_token", "token", "id_token", "none", "code code")):
    row(f"A-03.{number}", f"response_type={value} is unsupported_response_type", redirects_with, "unsupported_response_type", {"response_type": value})
for number, value in enumerate(("Code", "CODE", " code", "code ")):
    row(f"A-04.{number}", f"response_type={value!r} is unsupported_response_type (byte comparison)", redirects_with, ("unsupported_response_type", "invalid_request"), {"response_type": value})


@case("A-05", "client_id twice with the same value is a page", gate=1)
async def client_id_twice(s):
    await pages(s, edit(s.a0(), add=[("client_id", s.client("public").client_id)]))


async def two_clients(s, first, second):
    rest = edit(s.a0(), drop="client_id")
    await pages(s, [("client_id", s.client(first).client_id), ("client_id", s.client(second).client_id), *rest])
    await pages(s, [("client_id", s.client(first).client_id), *rest, ("client_id", s.client(second).client_id)])


row("A-06a", "client_id of A, then of B, is a page", two_clients, "public", "other", gate=1)
row("A-06b", "client_id of B, then of A, is a page", two_clients, "other", "public", gate=1)


async def two_redirects(s, good_first):
    good, evil = ("redirect_uri", s.client("public").redirect), ("redirect_uri", "https://evil.example/")
    pair = [good, evil] if good_first else [evil, good]
    await pages(s, edit(s.a0(), drop="redirect_uri", add=pair))


row("A-07a", "redirect_uri good, then evil, is a page", two_redirects, True, gate=1)
row("A-07b", "redirect_uri evil, then good, is a page", two_redirects, False, gate=1)


@case("A-07c", "redirect_uri twice with the same good value is a page", gate=1)
async def same_redirect_twice(s):
    await pages(s, edit(s.a0(), add=[("redirect_uri", s.client("public").redirect)]))


@case("A-08", "state twice is invalid_request without state", gate=1)
async def state_twice(s):
    await redirects_with(s, "invalid_request", {"add": [("state", "s2")]}, state=None)


@case("A-09", "response_type twice is invalid_request", gate=1)
async def response_type_twice(s):
    await redirects_with(s, "invalid_request", {"add": [("response_type", "code")]})


@case("A-10", "scope twice is invalid_request", gate=1)
async def scope_twice(s):
    await redirects_with(s, "invalid_request", {"add": [("scope", "mcp:admin")]})


@case("A-11", "two resources are invalid_target: never a token for both")
async def two_resources(s):
    await redirects_with(s, ("invalid_target", "invalid_request"), {"add": [("resource", s.resource("api"))]})


@case("A-12", "unknown parameters are ignored")
async def unknown_parameters(s):
    await shows_consent(s, edit(s.a0(), foo="bar", client_idx="1"))


@case("A-13", "an empty state is as if omitted: the answer has no state")
async def empty_state(s):
    expect.granted(s, await s.approved(edit(s.a0(), state="")), redirect=s.client("public").redirect, state=None)


row("A-14a", "an empty client_id is a page", lambda s: pages(s, edit(s.a0(), client_id="")))
row("A-14b", "no client_id is a page", lambda s: pages(s, edit(s.a0(), drop="client_id")))
row("A-14c", "an empty query is a page", lambda s: pages(s, ""))
row("A-15", "an unknown client with an evil redirect is a page", lambda s: pages(s, edit(s.a0(), client_id="nobody", redirect_uri="https://evil.example/")), gate=1)


async def hostile_client(s, raw):
    answer = await s.asks("client_id=" + raw + "&" + encode(edit(s.a0(), drop="client_id")))
    expect.page(answer)
    check(not any(k == "set-cookie" and v.lower().startswith("x=") for k, v in answer.headers), "no injected header", answer.headers)


for number, raw in enumerate(("%00", "a%0d%0aSet-Cookie:x=1", "%3Cscript%3Ealert(1)%3C/script%3E", "%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", "a%E2%80%AEb", "x" * 6000)):
    row(f"A-16.{number}", f"client_id={raw[:40]} is a page that reflects nothing unescaped", hostile_client, raw)


async def state_comes_back(s, raw, value):
    query = encode(edit(s.a0(), drop="state")) + "&state=" + raw
    answer = await s.approved(query)
    expect.granted(s, answer, redirect=s.client("public").redirect, state=value)


row("A-17a", "a state of 384 characters comes back byte for byte", state_comes_back, "Aa0-._~z" * 48, "Aa0-._~z" * 48)
row("A-17b", "a state of 2048 characters comes back byte for byte", state_comes_back, "Aa0-._~z" * 256, "Aa0-._~z" * 256)


@case("A-18", "a state of 8 KiB is refused (a page or an error), never cut")
async def huge_state(s):
    answer = await s.asks(edit(s.a0(), state="x" * 8192))
    if answer.location:
        expect.redirected(s, answer, "invalid_request", redirect=s.client("public").redirect, state=dict(answer.location_pairs()).get("state"))
        check(dict(answer.location_pairs()).get("state") in (None, "x" * 8192), "the state whole or not at all", answer)
    else:
        expect.page(answer, statuses=(400, 413, 414))


for number, (raw, value) in enumerate((
    ("%26code%3Devil%26iss%3Dx", "&code=evil&iss=x"), ("%0d%0aX:%201", "\r\nX: 1"), ("a%23b", "a#b"), ("%F0%9F%98%80", "\U0001f600"), ("%2525", "%25"),
    ("a+b", "a b"), ("a%2Bb", "a+b"), ("%22%27%3C%3E%60", "\"'<>`"), ("%20", " "), ("%3D%3D", "=="), ("a%3Bb", "a;b"), ("%E2%80%A8", "\u2028"))):
    row(f"A-19.{number}", f"state={raw} is read back as {ascii(value)} after one decoding", state_comes_back, raw, value)


async def unknown_scope(s, scope, expected):
    browser = await s.browser()
    answer = await browser.authorize(edit(s.a0(), scope=scope))
    if answer.location:
        expect.redirected(s, answer, "invalid_scope", redirect=s.client("public").redirect)
        return "policy: refuse"
    answer = await browser.decide(read_consent(answer), add=[("scope", "unknown:x")])
    if "error=" in (answer.location or "") or answer.status == 400:
        return "refused at the decision"
    from ..suite import Code, V0
    client = s.client("public")
    code = Code(expect.granted(s, answer, redirect=client.redirect), client, client.redirect, "mcp", V0)
    value = expect.token_ok(await s.redeem(code))
    scopes = set(value.get("scope", "").split())
    check(scopes and scopes <= set(s.all_scopes.split()), "scope in the answer, known ones only", value.get("scope"))
    check(s.read_scope in scopes, f"{expected} granted", value.get("scope"))


row("A-20a", "an unknown scope alone: the default is granted and named, or invalid_scope; never the unknown one", unknown_scope, "unknown:x", "the default scope")
row("A-20b", "an unknown scope beside a known one: the known one is granted and named, or invalid_scope", lambda s: unknown_scope(s, f"unknown:x {s.read_scope}", "the known scope"))


@case("A-20c", "a known scope in other case is not the known scope")
async def other_case_scope(s):
    browser = await s.browser()
    answer = await browser.authorize(edit(s.a0(), scope=s.write_scope.upper()))
    if answer.location:
        expect.redirected(s, answer, "invalid_scope", redirect=s.client("public").redirect)
    else:
        check(s.write_scope not in [v for _, v in read_consent(answer).form.checkboxes], f"no {s.write_scope} offered", answer)


for number, raw in enumerate(("a%22b", "a%5Cb", "%C3%A9", "a%00b", "a%09b", "a%7Fb")):
    row(f"A-21.{number}", f"scope={raw} is invalid_scope (not a scope-token)",
        lambda s, raw: _raw_scope(s, raw), raw)


async def _raw_scope(s, raw):
    answer = await s.asks(encode(edit(s.a0(), drop="scope")) + "&scope=" + raw)
    expect.redirected(s, answer, "invalid_scope", redirect=s.client("public").redirect)


@case("A-22", "no scope at all is granted the default scope")
async def no_scope(s):
    tokens = await s.tokens(scope="")
    check(tokens.answer.get("scope", s.read_scope).split() and s.read_scope in tokens.answer.get("scope", s.read_scope).split(), "the default scope", tokens.answer.get("scope"))


@case("A-25", "request=<jwt> is request_not_supported")
async def request_object(s):
    await redirects_with(s, "request_not_supported", {"request": "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS8ifQ."})


@case("A-26", "request_uri is request_uri_not_supported and nothing is fetched")
async def request_uri(s):
    from ..documents import DocumentHost
    async with DocumentHost() as host:
        for value in ("http://169.254.169.254/", host.origin + "/request", "urn:ietf:params:oauth:request_uri:x"):
            await redirects_with(s, "request_uri_not_supported", {"request_uri": value})
        check(host.count() == 0, "zero outbound requests", f"{host.count()} fetches")


for number, value in enumerate(("fragment", "form_post", "form_post.jwt", "query.jwt", "jwt", "web_message", "x")):
    row(f"A-27.{number}", f"response_mode={value} is invalid_request in the query", redirects_with, ("invalid_request", "unsupported_response_mode"), {"response_mode": value})
row("A-27.q", "response_mode=query is the default spelled out", lambda s: shows_consent(s, edit(s.a0(), response_mode="query")))


@case("A-28", "no resource is invalid_target or the default resource; never a token without audience")
async def no_resource(s):
    browser = await s.browser()
    answer = await browser.authorize(edit(s.a0(), drop="resource"))
    if answer.location:
        expect.redirected(s, answer, "invalid_target", redirect=s.client("public").redirect)
        return "invalid_target"
    from ..suite import Code, V0
    client = s.client("public")
    decided = await browser.decide(read_consent(answer))
    code = Code(expect.granted(s, decided, redirect=client.redirect), client, client.redirect, "mcp", V0)
    value = expect.token_ok(await s.redeem(code, drop="resource"))
    accepted = [name for name in s.fixture["resources"] if (await s.call(value["access_token"], resource=name)).status == 200]
    check(len(accepted) == 1, "a token for exactly one resource", f"accepted at {accepted}")
    return f"the default resource, {accepted[0]}"


BAD_TARGETS = {
    "A-29": ("https://unknown.example/", "unknown"), "A-30": ("{mcp}#f", "with a fragment"), "A-30b": ("{mcp}#", "with an empty fragment"),
    "A-31a": ("/mcp", "relative"), "A-31b": ("mcp.example", "not absolute"), "A-31c": ("//mcp.example/mcp", "without a scheme"),
    "A-32a": ("{mcp}?x=1", "with a query"), "A-32b": ("{mcp}/../mcp", "with dot segments"), "A-32c": ("{mcp}/x", "below the resource"),
    "A-32d": ("{mcp} ", "with a space"), "A-34": ("{mcp}/", "with a slash at the end"), "A-32e": ("{mcpupper}", "with another case of the path"),
}
for id_, (value_, what) in BAD_TARGETS.items():
    row(id_, f"a resource {what} is invalid_target", lambda s, value: redirects_with(s, "invalid_target", {"resource": _target(s, value)}), value_)


def _target(s, value):
    mcp = s.resource("mcp")
    parts = urlsplit(mcp)
    return value.replace("{mcpupper}", f"{parts.scheme}://{parts.netloc}{parts.path.upper()}").replace("{mcp}", mcp)


@case("A-33", "scheme and host of the resource in capitals are the registered resource; the token works there and names the registered spelling")
async def resource_in_capitals(s):
    parts = urlsplit(s.resource("mcp"))
    spelled = f"{parts.scheme.upper()}://{parts.netloc.upper()}{parts.path}"
    browser = await s.browser()
    shown = await browser.consent(edit(s.a0(), resource=spelled))
    from ..suite import Code, V0
    client = s.client("public")
    code = Code(expect.granted(s, await browser.decide(shown), redirect=client.redirect), client, client.redirect, "mcp", V0)
    value = expect.token_ok(await s.redeem(code, resource=spelled))
    check((await s.call(value["access_token"])).status == 200, "a token that works at the resource", "refused")


@case("A-35", "a client without the code grant is unauthorized_client")
async def no_code_grant(s):
    s.need("no_code" in s.clients, "the fixture has no client `no_code` (registered without authorization_code)")
    client = s.client("no_code")
    expect.redirected(s, await s.asks(s.a0(client)), "unauthorized_client", redirect=client.redirect)


async def other_method(s, method):
    browser = await s.browser()
    answer = await browser.send(method, s.url("authorize") + "?" + encode(s.a0()))
    check(answer.status == 405 and answer.header("allow"), "405 with Allow", answer)


for method in ("PUT", "DELETE", "PATCH"):
    row(f"A-36.{method.lower()}", f"{method} on /authorize is 405 with Allow", other_method, method)


@case("A-36.head", "HEAD on /authorize is 405, or as GET without a body")
async def head(s):
    answer = await (await s.browser()).send("HEAD", s.url("authorize") + "?" + encode(s.a0()))
    check(answer.status in (200, 303, 405) and not answer.body, "405, or 200 without a body", answer)


row("A-37", "a semicolon is data, not a separator", lambda s: pages(s, encode(s.a0()).replace("&", ";")))
row("A-38a", "client_id[] is not client_id", lambda s: pages(s, encode(s.a0()).replace("client_id=", "client_id%5B%5D=")))
row("A-38b", "client_id[0] is not client_id", lambda s: pages(s, encode(s.a0()).replace("client_id=", "client_id[0]=")))
row("A-38c", "client_id.x is not client_id", lambda s: pages(s, encode(s.a0()).replace("client_id=", "client_id.x=")))
row("A-38d", "Client_ID is not client_id", lambda s: pages(s, encode(s.a0()).replace("client_id=", "Client_ID=")))
row("A-39", "%63lient_id beside client_id is a duplicate after decoding", lambda s: pages(s, f"%63lient_id={s.client('other').client_id}&{encode(s.a0())}"))
row("A-40", "%72edirect_uri beside redirect_uri is a duplicate after decoding", lambda s: pages(s, f"%72edirect_uri={quote_plus('https://evil.example/')}&{encode(s.a0())}"))
row("A-41", "a parameter name is decoded once: %2563lient_id is not client_id", lambda s: pages(s, encode(s.a0()).replace("client_id=", "%2563lient_id=")))
for number, raw in enumerate(("%zz", "%", "%u0041", "%4", "a%")):
    row(f"A-42.{number}", f"state={raw} is a page (malformed encoding)", lambda s, raw: pages(s, encode(edit(s.a0(), drop="state")) + "&state=" + raw), raw)
row("A-43a", "client_id=%c0%af is a page (not UTF-8)", lambda s: pages(s, encode(edit(s.a0(), drop="client_id")) + "&client_id=%c0%af"))
row("A-43b", "state=%ff%fe is a page (not UTF-8)", lambda s: pages(s, encode(edit(s.a0(), drop="state")) + "&state=%ff%fe"))
row("A-43c", "state=%ed%a0%80 is a page (a surrogate is not UTF-8)", lambda s: pages(s, encode(edit(s.a0(), drop="state")) + "&state=%ed%a0%80"))


@case("A-44", "a request of session U1 cannot be approved in session U2")
async def swapped_session(s):
    mine, theirs = await s.browser(s.users[0]), await s.browser(s.users[1])
    shown = await mine.consent(s.a0())
    await theirs.consent(s.a0())  # so that the other browser has a cookie of its own
    expect.page(await theirs.decide(shown), statuses=(400, 403))
    swapped = Browser(s)
    swapped.cookies = {**mine.cookies, **{k: v for k, v in theirs.cookies.items() if "lockstep" not in k}}
    expect.page(await swapped.decide(shown), statuses=(400, 403))


@case("A-45", "A0 for a deleted client is a page")
async def deleted_client(s):
    s.need_management()
    client = await s.registered()
    expect.consent(await s.asks(s.a0(client)))
    answer = await s.manage("DELETE", client)
    check(answer.status == 204, "204", answer)
    expect.page(await s.asks(s.a0(client)))


row("A-46", "garbage in claims, acr_values, id_token_hint, login_hint, ui_locales, nonce is ignored", lambda s: shows_consent(s, edit(
    s.a0(), claims="{", acr_values="\u2028", id_token_hint="a.b.c", login_hint="<script>alert(1)</script>", ui_locales="%%%", nonce="n" * 100, max_age="-1", display="x")))
row("A-47", "prompt=consent (sent by the TypeScript SDK) is an ordinary request", lambda s: shows_consent(s, edit(s.a0(), prompt="consent")))


@case("A-48", "POST /authorize with a form is read like GET")
async def posted(s):
    answer = await (await s.browser()).post(s.url("authorize"), s.a0(), site="cross-site", origin="https://client.example")
    if answer.status == 303:
        answer = await (await s.browser()).follow(answer)
    check(answer.status in (200, 405), "the consent page (or 405)", answer)
    return f"status {answer.status}"


async def before_sign_in(s, change):
    answer = await Browser(s).authorize(edit(s.a0(), **change))
    if answer.location is None:
        return expect.page(answer)
    check(urlsplit(answer.location).netloc in ("", urlsplit(s.base).netloc), "the sign-in or a page, before the user is known", answer)
    check("error" not in dict(parse_qsl(urlsplit(answer.location).query)), "no error to the client before sign-in", answer)


for number, change in enumerate(({"response_type": "token"}, {"scope": 'a"b'}, {"resource": "https://unknown.example/"}, {"drop": "code_challenge"}, {"add": [("state", "s2")]}, {"response_mode": "fragment"})):
    row(f"A-49.{number}", f"before sign-in {change} never redirects to the client", before_sign_in, change)


@case("A-50", "denying is access_denied with state and iss, and the ticket is worth nothing afterwards")
async def denied(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    expect.redirected(s, await browser.decide(shown, "deny"), "access_denied", redirect=s.client("public").redirect)


@case("A-51", "a signed-out browser is sent to the sign-in and comes back to the consent page")
async def through_sign_in(s):
    browser = Browser(s)
    answer = await browser.authorize(s.a0())
    check(answer.status in (302, 303), "a redirect to the sign-in", answer)
    location = answer.location or ""
    check(s.fixture["sign_in"]["path"] in location, "the host's sign-in", answer)
    next_ = dict(parse_qsl(urlsplit(location).query)).get("next", "")
    check(next_.startswith("/") and not next_.startswith("//"), "a relative way back in next", location)
    shown = await browser.follow(answer)
    check(shown.status == 200, "the sign-in page", shown)
    back = await browser.login(s.users[0], shown)
    for _ in range(3):
        if back.status in (302, 303):
            back = await browser.follow(back)
    decided = await browser.decide(read_consent(back))
    expect.granted(s, decided, redirect=s.client("public").redirect)


not_applicable("A-45b", "A0 for a disabled client is a page", "disabling a client is the host's own act; no endpoint does it")

"""R: redirect URI. One table, asked of /authorize (a page, no Location) and, where the value itself is bad, of registration too."""

from .. import expect
from ..case import case, check, row
from ..wire import edit

HTTPS, NATIVE = "https", "native"
EITHER, REFUSED = None, True  # at registration: a lawful value of its own, or one that no reader may accept

# id, which registered redirect it imitates, the value (decoded once), registration
ROWS = [
    ("R-01", HTTPS, "https://evil.example/cb", EITHER),
    ("R-02", HTTPS, "https://client.example/cb/FAKEPATH", EITHER),
    ("R-03", HTTPS, "https://client.example/cb%2FFAKEPATH", EITHER),
    ("R-04", HTTPS, "https://client.example/cb/", EITHER),
    ("R-05", HTTPS, "https://client.example/cb/%2e%2e%2F", REFUSED),
    ("R-06", HTTPS, "https://client.example/cb/..%252F", EITHER),
    ("R-07", HTTPS, "https://client.example/cb/../cb", REFUSED),
    ("R-07b", HTTPS, "https://client.example/./cb", REFUSED),
    ("R-08", HTTPS, "https://client.example/FAKEPATH/../cb", REFUSED),
    ("R-09", HTTPS, "https://client.example/cb%2FFAKEPATH%2F..", EITHER),
    ("R-10", HTTPS, "https://client.example/%63b", REFUSED),
    ("R-11", HTTPS, "https://client.example/cb%3B/../../", REFUSED),
    ("R-12", HTTPS, "https://client.example/cb;/x", EITHER),
    ("R-13", HTTPS, "https://client.example/..;/cb", EITHER),
    ("R-14", HTTPS, "https://client.example/cb?x=1", EITHER),
    ("R-14b", HTTPS, "https://client.example/cb?", EITHER),
    ("R-15", HTTPS, "https://client.example/cb?code=attackercode", REFUSED),
    ("R-16a", HTTPS, "https://client.example/cb#", REFUSED),
    ("R-16b", HTTPS, "https://client.example/cb#x", REFUSED),
    ("R-16c", HTTPS, "https://client.example/cb%23", EITHER),
    ("R-17", HTTPS, "https://CLIENT.example/cb", REFUSED),
    ("R-18", HTTPS, "HTTPS://client.example/cb", REFUSED),
    ("R-19", HTTPS, "https://client.example:443/cb", REFUSED),
    ("R-20", HTTPS, "https://client.example./cb", REFUSED),
    ("R-21", HTTPS, "https://client.example/CB", EITHER),
    ("R-22a", HTTPS, "https://client.example/cb%2561", EITHER),
    ("R-22b", HTTPS, "https%3A%2F%2Fclient.example%2Fcb", REFUSED),
    ("R-23", HTTPS, "https://client.example//cb", EITHER),
    ("R-24a", HTTPS, "https://evil.example\\@client.example/cb", REFUSED),
    ("R-24b", HTTPS, "https://client.example\\.evil.example/cb", REFUSED),
    ("R-24c", HTTPS, "https://client.example@evil.example/cb", REFUSED),
    ("R-24d", HTTPS, "https://evil.example#@client.example/cb", REFUSED),
    ("R-24e", HTTPS, "https:\\\\client.example\\cb", REFUSED),
    ("R-25a", HTTPS, "https:/client.example/cb", REFUSED),
    ("R-25b", HTTPS, "https:client.example/cb", REFUSED),
    ("R-25c", HTTPS, "//client.example/cb", REFUSED),
    ("R-25d", HTTPS, "/cb", REFUSED),
    ("R-25e", HTTPS, "https:///client.example/cb", REFUSED),
    ("R-25f", HTTPS, "", REFUSED),
    ("R-26a", HTTPS, "https://client.example/c\tb", REFUSED),
    ("R-26b", HTTPS, "https://client.example/c\nb", REFUSED),
    ("R-26c", HTTPS, " https://client.example/cb", REFUSED),
    ("R-26d", HTTPS, "https://client.example/cb ", REFUSED),
    ("R-26e", HTTPS, "https://client.example/cb\x00", REFUSED),
    ("R-26f", HTTPS, "https://client.example/cb\r\nX: 1", REFUSED),
    ("R-27", HTTPS, "https://\uff43lient.example/cb", REFUSED),
    ("R-27b", HTTPS, "https://client\u3002example/cb", REFUSED),
    ("R-28a", HTTPS, "https://client.example.evil.example/cb", EITHER),
    ("R-28b", HTTPS, "https://evilclient.example/cb", EITHER),
    ("R-28c", HTTPS, "https://sub.client.example/cb", EITHER),
    ("R-29", HTTPS, "https://*.example/cb", REFUSED),
    ("R-30a", HTTPS, "javascript:alert(1)//client.example/cb", REFUSED),
    ("R-30b", HTTPS, "JavaScript:alert(1)//client.example/cb", REFUSED),
    ("R-30c", HTTPS, "JAVASCRIPT&#58;alert(1)", REFUSED),
    ("R-30d", HTTPS, "data:text/html,x", REFUSED),
    ("R-30e", HTTPS, "vbscript:x", REFUSED),
    ("R-30f", HTTPS, "file:///etc/passwd", REFUSED),
    ("R-30g", HTTPS, "blob:https://client.example/x", REFUSED),
    ("R-30h", HTTPS, "about:blank", REFUSED),
    ("R-30i", HTTPS, "java\tscript:alert(1)", REFUSED),
    ("R-30j", HTTPS, "view-source:https://client.example/cb", REFUSED),
    ("R-30k", HTTPS, "ms-settings:x", REFUSED),
    ("R-31", HTTPS, "http://client.example/cb", REFUSED),
    ("R-33a", NATIVE, "http://127.0.0.1:51004/callback/", EITHER),
    ("R-33b", NATIVE, "http://127.0.0.1:51004/other", EITHER),
    ("R-33c", NATIVE, "http://127.0.0.1:51004/CALLBACK", EITHER),
    ("R-34", NATIVE, "http://127.0.0.1:51004/callback?x=1", EITHER),
    ("R-35", NATIVE, "https://127.0.0.1:51004/callback", EITHER),
    ("R-36", NATIVE, "http://localhost:51004/callback", EITHER),
    ("R-39a", NATIVE, "http://127.1:5/callback", REFUSED),
    ("R-39b", NATIVE, "http://2130706433:5/callback", REFUSED),
    ("R-39c", NATIVE, "http://0x7f.0.0.1:5/callback", REFUSED),
    ("R-39d", NATIVE, "http://0177.0.0.1:5/callback", REFUSED),
    ("R-39e", NATIVE, "http://127.0.0.1.:5/callback", REFUSED),
    ("R-40a", NATIVE, "http://[::ffff:127.0.0.1]:5/callback", REFUSED),
    ("R-40b", NATIVE, "http://0.0.0.0:5/callback", REFUSED),
    ("R-40c", NATIVE, "http://127.0.0.2:5/callback", REFUSED),
    ("R-40d", NATIVE, "http://[::1]:5/callback", EITHER),
    ("R-41a", NATIVE, "http://127.0.0.1.evil.example:5/callback", REFUSED),
    ("R-41b", NATIVE, "http://localhost.evil.example/callback", REFUSED),
    ("R-41c", NATIVE, "http://127.0.0.1evil.example/", REFUSED),
    ("R-42a", NATIVE, "http://127.0.0.1:51004@evil.example/callback", REFUSED),
    ("R-42b", NATIVE, "http://user@127.0.0.1:5/callback", REFUSED),
    ("R-42c", NATIVE, "http://@127.0.0.1:5/callback", REFUSED),
    ("R-43a", NATIVE, "http://127.0.0.1:0/callback", EITHER),
    ("R-43b", NATIVE, "http://127.0.0.1:65536/callback", REFUSED),
    ("R-43c", NATIVE, "http://127.0.0.1:/callback", REFUSED),
    ("R-43d", NATIVE, "http://127.0.0.1:+80/callback", REFUSED),
    ("R-43e", NATIVE, "http://127.0.0.1:0080/callback", REFUSED),
    ("R-43f", NATIVE, "http://127.0.0.1:\uff18\uff10/callback", REFUSED),
]


async def never_redirected_to(s, value):
    answer = await s.asks(edit(s.a0(), redirect_uri=value))
    expect.page(answer)
    from ..browser import Browser
    signed_out = await Browser(s).authorize(edit(s.a0(), redirect_uri=value))
    expect.page(signed_out)


async def never_registered(s, value):
    s.need_registration()
    for uris in ([value], ["https://client.example/cb", value]):
        answer = await s.post_registration({"redirect_uris": uris, "client_name": "Blackbox", "token_endpoint_auth_method": "none"})
        check(answer.status == 400 and answer.error() == "invalid_redirect_uri", "400 invalid_redirect_uri", answer)


for id_, _, value_, verdict in ROWS:
    row(id_, f"redirect_uri {ascii(value_)} is a page, signed in or not", never_redirected_to, value_, gate=1)
    if verdict is REFUSED:
        row(f"{id_}.reg", f"redirect_uri {ascii(value_)} is not registered", never_registered, value_, gate=1)


async def registered_goes(s, registered, asked):
    client = await s.registered([registered])
    browser = await s.browser()
    shown = await browser.consent(s.a0(client, redirect=asked))
    expect.granted(s, await browser.decide(shown), redirect=asked)


async def registered_pages(s, registered, asked):
    client = await s.registered([registered])
    expect.page(await s.asks(s.a0(client, redirect=asked)))


@case("R-32", "a loopback redirect registered without port goes to the port asked for", gate=1)
async def loopback_port(s):
    for port in (51004, 1024, 65535):
        redirect = f"http://127.0.0.1:{port}/callback"
        expect.granted(s, await s.approved(s.a0(redirect=redirect)), redirect=redirect)


@case("R-32b", "a loopback redirect is redeemed with the very URI that was used, port included", gate=1)
async def loopback_redeemed(s):
    code = await s.code(redirect="http://127.0.0.1:51004/callback")
    expect.token_error(await s.redeem(code, redirect_uri="http://127.0.0.1:51005/callback"), "invalid_grant")
    expect.token_ok(await s.redeem(code))


row("R-37a", "http://localhost/cb registered, http://localhost:3000/cb asked: OK", registered_goes, "http://localhost/cb", "http://localhost:3000/cb", gate=1)
row("R-37b", "localhost registered never matches 127.0.0.1", registered_pages, "http://localhost/cb", "http://127.0.0.1:3000/cb", gate=1)
row("R-37c", "localhost registered never matches [::1]", registered_pages, "http://localhost/cb", "http://[::1]:3000/cb", gate=1)
row("R-37d", "127.0.0.1 registered never matches localhost", registered_pages, "http://127.0.0.1/cb", "http://localhost:3000/cb", gate=1)
row("R-37e", "localhost registered never matches LOCALHOST", registered_pages, "http://localhost/cb", "http://LOCALHOST:3000/cb", gate=1)
row("R-38a", "http://[::1]/cb registered, http://[::1]:9/cb asked: OK", registered_goes, "http://[::1]/cb", "http://[::1]:9/cb", gate=1)
row("R-38b", "[::1] registered never matches [0:0:0:0:0:0:0:1]", registered_pages, "http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]:9/cb", gate=1)
row("R-44", "a loopback redirect registered with port 8080 goes to port 9090", registered_goes, "http://127.0.0.1:8080/cb", "http://127.0.0.1:9090/cb", gate=1)
row("R-45a", "an https redirect registered without port never goes to another port", registered_pages, "https://client.example/cb", "https://client.example:8443/cb", gate=1)
row("R-45b", "an https redirect registered with a port goes to that port", registered_goes, "https://client.example:8443/cb", "https://client.example:8443/cb", gate=1)


@case("R-46", "no redirect_uri with one registered is a page (it is always required)", gate=1)
async def omitted_with_one(s):
    expect.page(await s.asks(edit(s.a0("other"), drop="redirect_uri")))


@case("R-47", "no redirect_uri with two registered is a page", gate=1)
async def omitted_with_two(s):
    expect.page(await s.asks(edit(s.a0(), drop="redirect_uri")))


@case("R-48", "a bad redirect beside a bad scope and a bad response_type is a page: the redirect is judged first", gate=1)
async def redirect_first(s):
    for change in ({"scope": 'a"b'}, {"response_type": "token"}, {"resource": "/x"}, {"drop": "code_challenge"}, {"response_mode": "fragment"}, {"request_uri": "https://evil.example/"}):
        expect.page(await s.asks(edit(edit(s.a0(), **change), redirect_uri="https://evil.example/")))


@case("R-49", "B's redirect with A's client_id is a page", gate=1)
async def foreign_redirect(s):
    expect.page(await s.asks(edit(s.a0(), redirect_uri=s.client("other").redirect)))
    expect.page(await s.asks(edit(s.a0("other"), redirect_uri=s.client("public").redirect)))


@case("R-50", "a redirect changed in the consent POST is a page, or ignored: the stored one wins", gate=1)
async def changed_in_consent(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    answer = await browser.decide(shown, add=[("redirect_uri", "https://evil.example/")])
    if answer.location is not None:
        expect.granted(s, answer, redirect=s.client("public").redirect)
        return "ignored"
    expect.page(answer)


@case("R-51", "a registered query is kept: ?tenant=1&code=…&state=…&iss=…", gate=1)
async def registered_query(s):
    redirect = "https://client.example/cb?tenant=1"
    client = await s.registered([redirect])
    browser = await s.browser()
    answer = await browser.decide(await browser.consent(s.a0(client, redirect=redirect)))
    expect.granted(s, answer, redirect=redirect)
    check(answer.location.startswith(redirect + "&"), "the registered query first, then &", answer)
    check([v for k, v in answer.location_pairs() if k == "tenant"] == ["1"], "tenant=1 once", answer)


for number, query in enumerate(("code=x", "state=x", "iss=https://evil", "error=x", "tenant=1&code=x", "%63ode=x", "error_description=x")):
    row(f"R-52.{number}", f"a redirect with ?{query} is not registered", never_registered, f"https://client.example/cb?{query}", gate=1)


@case("R-53", "private-use schemes: reverse-domain or allowed by name; registered ones go there byte for byte", gate=1)
async def private_scheme(s):
    redirect = "com.example.app:/oauth/callback"
    client = await s.registered([redirect])
    browser = await s.browser()
    expect.granted(s, await browser.decide(await browser.consent(s.a0(client, redirect=redirect))), redirect=redirect)
    expect.page(await s.asks(s.a0(client, redirect="com.example.app:/oauth/other")))
    expect.page(await s.asks(s.a0(client, redirect="com.example.evil:/oauth/callback")))


@case("R-54", "mixed registrations of real clients (Cursor: private scheme, https and loopback at once) work", gate=1)
async def mixed(s):
    uris = ["cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"]
    client = await s.registered(uris)
    for redirect in (*uris, "http://localhost:5555/callback"):
        browser = await s.browser()
        expect.granted(s, await browser.decide(await browser.consent(s.a0(client, redirect=redirect))), redirect=redirect)


@case("R-55", "the Location to the client ends without a fragment or with the neutral #_", gate=1)
async def fragment(s):
    answer = await s.approved(s.a0())
    _, _, tail = (answer.location or "").partition("#")
    check(tail in ("", "_"), "no fragment, or #_", answer)
    return f"fragment {tail!r}"


@case("R-57", "a page about a bad redirect shows no link to it", gate=1)
async def no_link(s):
    answer = await s.asks(edit(s.a0(), redirect_uri="https://evil.example/x"))
    expect.page(answer)
    check('href="https://evil.example' not in answer.text and 'action="https://evil.example' not in answer.text, "no link to the bad redirect", answer.text[:300])
    check("http-equiv" not in answer.text.lower() or "refresh" not in answer.text.lower(), "no refresh", answer.text[:300])



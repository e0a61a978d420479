"""U: consent page, cookies, CSRF, clickjacking. H-18 (Origin: null) is here too, beside its kin."""

import asyncio
import re
from urllib.parse import quote

from .. import expect
from ..browser import Browser, forms, read_consent
from ..case import case, check, row
from ..suite import Code
from ..wire import edit, encode

REFUSED = (400, 403)


async def approves(s, browser, shown, **more):
    answer = await browser.decide(shown, **more)
    return expect.granted(s, answer, redirect=s.client("public").redirect)


def framed(answer, what):
    policy = answer.header("content-security-policy") or ""
    check("frame-ancestors 'none'" in policy, f"{what}: CSP frame-ancestors 'none'", policy)
    check((answer.header("x-frame-options") or "").upper() == "DENY", f"{what}: X-Frame-Options: DENY", answer.headers)


@case("U-01", "consent and error pages cannot be framed: CSP frame-ancestors 'none' and X-Frame-Options: DENY", gate=1)
async def not_framed(s):
    framed(expect.consent(await s.asks(s.a0())), "consent page")
    framed(expect.page(await s.asks(edit(s.a0(), client_id="nobody"))), "error page")


@case("U-01b", "the host's sign-in page cannot be framed", gate=1)
async def login_not_framed(s):
    answer = await s.wire.send("GET", s.base + s.fixture["sign_in"]["path"])
    check(answer.status == 200, "the sign-in page", answer)
    framed(answer, "sign-in page")


async def without(s, name):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    s.need(name in dict(shown.form.hidden), f"the form has no {name}")
    expect.page(await browser.decide(shown, drop=name), statuses=REFUSED)
    expect.page(await browser.decide(shown, change={name: ""}), statuses=REFUSED)
    await approves(s, browser, shown)


row("U-02a", "a consent POST without its seal is a page, no code; the untouched form still works", without, "seal", gate=1)
row("U-02b", "a consent POST without its ticket is a page, no code", without, "ticket", gate=1)


@case("U-02c", "a consent POST without any cookie is a page or the sign-in, no code", gate=1)
async def without_cookies(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    answer = await Browser(s).decide(shown)
    check("code=" not in (answer.location or "") and answer.status in (*REFUSED, 303), "a page or the sign-in", answer)


@case("U-02d", "a consent POST without a decision, or with an unknown one, is a page", gate=1)
async def without_decision(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    expect.page(await browser.decide(shown, drop="decision"), statuses=REFUSED)
    for value in ("", "Approve", "yes", "approve "):
        expect.page(await browser.decide(shown, value), statuses=REFUSED)


@case("U-03", "ticket and seal of two requests do not mix", gate=1)
async def mixed(s):
    browser = await s.browser()
    one, two = await browser.consent(s.a0()), await browser.consent(edit(s.a0("other"), state="s2"))
    s.need("seal" in dict(one.form.hidden), "the form has no seal")
    expect.page(await browser.decide(one, change={"seal": dict(two.form.hidden)["seal"]}), statuses=REFUSED)
    expect.page(await browser.decide(two, change={"ticket": one.ticket}), statuses=REFUSED)


@case("U-04", "a cookie chosen by an attacker binds nothing: a ticket made under it does not serve the victim's browser", gate=1)
async def planted_cookie(s):
    attacker = await s.browser(s.users[1])
    theirs = await attacker.consent(s.a0())
    victim = await s.browser(s.users[0])
    for name, value in attacker.cookies.items():
        if "lockstep" in name:
            victim.cookies[name] = value  # planted, as a sub-domain could
    expect.page(await victim.decide(theirs), statuses=REFUSED)
    guess = await s.browser()
    for name in list(guess.cookies):
        if "lockstep" in name:
            del guess.cookies[name]
    guess.cookies["lockstep"] = "A" * 43
    shown = await guess.consent(s.a0())
    other = await s.browser()
    other.cookies["lockstep"] = "A" * 42 + "B"
    expect.page(await other.decide(shown), statuses=REFUSED)


@case("U-05", "each browser gets a secret cookie of its own, of at least 128 bits", gate=1)
async def own_cookie(s):
    values = []
    for _ in range(4):
        browser = await s.browser()
        await browser.consent(s.a0())
        values.append(next((v for k, v in browser.cookies.items() if "lockstep" in k), ""))
    check(len(set(values)) == 4 and min(map(len, values)) >= 22, "four different long values", [len(v) for v in values])


async def foreign_origin(s, origin, site):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    expect.page(await browser.decide(shown, origin=origin, site=site), statuses=REFUSED)


for number, (origin, site) in enumerate((("https://evil.example", "cross-site"), ("https://evil.example", "same-origin"), ("http://127.0.0.1:1", "same-site"), ("http://127.0.0.1.evil.example", "cross-site"))):
    row(f"U-06.{number}", f"a consent POST with Origin {origin} is a page", foreign_origin, origin, site, gate=1)
row("H-18", "a consent POST with Origin: null is a page", foreign_origin, "null", "cross-site")


@case("U-07", "a consent POST without Origin (an old browser) but with ticket, seal and cookies works or is a page")
async def no_origin(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    answer = await browser.decide(shown, origin=None)
    if answer.location:
        expect.granted(s, answer, redirect=s.client("public").redirect)
    else:
        expect.page(answer, statuses=REFUSED)


@case("U-07b", "a consent POST with Origin: null and Sec-Fetch-Site: same-origin (what browsers send under no-referrer) works")
async def null_from_itself(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    expect.granted(s, await browser.decide(shown, origin="null", site="same-origin"), redirect=s.client("public").redirect)


@case("U-07c", "a consent POST with Origin: null and no Sec-Fetch-Site is a page", gate=1)
async def null_from_nowhere(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    expect.page(await browser.decide(shown, origin="null", site=None), statuses=REFUSED)


@case("U-08", "decision=approve and decision=deny together are a page, in both orders", gate=1)
async def both_decisions(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    for first, second in (("approve", "deny"), ("deny", "approve")):
        expect.page(await browser.decide(shown, first, add=[("decision", second)]), statuses=REFUSED)


async def stored_wins(s, add):
    browser = await s.browser()
    shown = await browser.consent(s.a0(scope=s.read_scope, resource="api"))
    answer = await browser.decide(shown, add=[(k, v.replace("{mcp}", s.resource("mcp")).replace("{write}", s.write_scope).replace("{other}", s.client("other").client_id)) for k, v in add])
    if answer.location is None:
        return expect.page(answer, statuses=REFUSED) and "a page"
    client = s.client("public")
    code = Code(expect.granted(s, answer, redirect=client.redirect), client, client.redirect, "api")
    tokens = s.keep(code, await s.redeem(code))
    check(not {"mcp:admin", s.write_scope} & set(tokens.answer.get("scope", "").split()), "no scope beyond the request", tokens.answer.get("scope"))
    expect.resource_403(s, await s.call_write(tokens.access_token, resource="api"), s.write_scope, resource="api")
    expect.resource_401(s, await s.call(tokens.access_token), "invalid_token")


for number, add in enumerate(([("scope", "mcp:admin")], [("scope", "{write}")], [("client_id", "{other}")], [("redirect_uri", "https://evil.example/")], [("resource", "{mcp}")], [("state", "evil")], [("subject", "bob")], [("code_challenge", "B" * 43)])):
    row(f"U-09.{number}", f"a consent POST that adds {add[0][0]}={add[0][1][:24]}: the stored request wins", stored_wins, add, gate=1)


@case("U-10", "unticked scopes are not granted, and the answer says so")
async def unticked(s):
    tokens = await s.tokens(scopes=[s.fixture["scopes"]["offline"]])
    check("scope" in tokens.answer and s.write_scope not in tokens.answer["scope"].split(), "scope without the unticked one", tokens.answer.get("scope"))


@case("U-11", "approving with no optional scope leaves the required ones")
async def nothing_ticked(s):
    code = await s.code(scopes=[])
    value = expect.token_ok(await s.redeem(code))
    check(s.read_scope in value.get("scope", "").split(), f"{s.read_scope} at least", value.get("scope"))


async def tampered(s, name, mangle):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    s.need(name in dict(shown.form.hidden), f"the form has no {name}")
    value = dict(shown.form.hidden)[name]
    expect.page(await browser.decide(shown, change={name: mangle(value)}), statuses=REFUSED)
    await approves(s, browser, shown)


for name in ("ticket", "seal"):
    for number, (what, mangle) in enumerate({"with one sign changed": lambda v: v[:len(v) // 2] + ("A" if v[len(v) // 2] != "A" else "B") + v[len(v) // 2 + 1:], "truncated": lambda v: v[:-1], "extended": lambda v: v + "A", "doubled": lambda v: v + v, "of 10 KB": lambda v: "A" * 10_000, "with padding": lambda v: v + "=", "non-ASCII": lambda v: v + "é"}.items()):
        row(f"U-12.{name}.{number}", f"a {name} {what} is a page; the untouched form still works", tampered, name, mangle)


@case("U-13", "the cookie is HttpOnly, SameSite=Lax, Path=/, without Domain; __Host- and Secure unless the issuer is http loopback")
async def attributes(s):
    browser = await s.browser()
    browser.set_cookies.clear()
    await browser.consent(s.a0())
    mine = [c for c in browser.set_cookies if "lockstep" in c.split("=")[0]]
    check(len(mine) == 1, "one cookie of the authorization server", browser.set_cookies)
    parts = {p.strip().split("=")[0].lower(): p.strip() for p in mine[0].split(";")}
    check("httponly" in parts and parts.get("samesite", "").lower() == "samesite=lax" and parts.get("path", "").lower() == "path=/" and "domain" not in parts, "HttpOnly; SameSite=Lax; Path=/; no Domain", re.sub(r"=[^;]{20,};", "=…;", mine[0]))
    if s.issuer.startswith("https:"):
        check(mine[0].startswith("__Host-") and "secure" in parts, "__Host- and Secure", mine[0].split("=")[0])


@case("U-14", "consent is asked again: same request, more scopes, other resource, other redirect")
async def asked_again(s):
    browser = await s.browser()
    await approves(s, browser, await browser.consent(s.a0(scope=s.read_scope)))
    for query in (s.a0(scope=s.read_scope), s.a0(), s.a0(resource="api"), edit(s.a0(), state="other")):
        expect.consent(await browser.authorize(query))


@case("U-15", "consent of a native client on loopback is asked every time")
async def native_again(s):
    browser = await s.browser()
    query = s.a0(redirect="http://127.0.0.1:51004/callback")
    for _ in range(2):
        answer = await browser.authorize(query)
        expect.granted(s, await browser.decide(read_consent(answer)), redirect="http://127.0.0.1:51004/callback")


@case("U-16", "the consent page says who asks, where it goes and what for")
async def says_what(s):
    answer = await s.asks(s.a0())
    expect.consent(answer)
    check("client.example" in answer.text, "the host of the redirect", answer)
    names = [s.fixture["clients"]["public"].get("client_name", ""), s.client("public").client_id]
    check(any(n and n in answer.text for n in names), "the client's name or id", answer)


@case("U-17", "a ticket that was guessed, or is another user's, is a page")
async def guessed(s):
    mine, theirs = await s.browser(s.users[0]), await s.browser(s.users[1])
    shown = await theirs.consent(s.a0())
    own = await mine.consent(s.a0())
    expect.page(await mine.decide(own, change={"ticket": shown.ticket}), statuses=REFUSED)
    expect.page(await mine.decide(own, change=dict(shown.form.hidden)), statuses=REFUSED)
    for ticket in (shown.ticket, "x", "A" * 200, "../x"):
        answer = await mine.get(f"{s.url('consent')}?ticket={quote(ticket)}")
        expect.page(answer, statuses=REFUSED)


@case("U-18", "approving in tab 1 after another user signed in in tab 2 is a page")
async def other_user_now(s):
    browser = await s.fresh_browser(s.users[0])
    shown = await browser.consent(s.a0())
    await browser.login(s.users[1])
    expect.page(await browser.decide(shown), statuses=REFUSED)


@case("U-18b", "approving after signing out is a page or the sign-in, no code")
async def signed_out_now(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    for name in list(browser.cookies):
        if "lockstep" not in name:
            del browser.cookies[name]
    answer = await browser.decide(shown)
    check("code=" not in (answer.location or "") and answer.status in (*REFUSED, 302, 303), "a page or the sign-in", answer)


@case("U-19", "pages load nothing from anywhere: no-referrer, CSP default-src 'none', nosniff, no script")
async def self_contained(s):
    for answer in (await s.asks(s.a0()), await s.asks(edit(s.a0(), client_id="nobody"))):
        check(answer.header("referrer-policy") == "no-referrer", "Referrer-Policy: no-referrer", answer.headers)
        policy = answer.header("content-security-policy") or ""
        check("default-src 'none'" in policy and "unsafe-eval" not in policy, "CSP default-src 'none'", policy)
        check(answer.header("x-content-type-options") == "nosniff", "nosniff", answer.headers)
        check("<script" not in answer.text.lower() and not re.search(r'(src|href)\s*=\s*["\']?(https?:)?//', answer.text), "nothing loaded, no script", answer)


@case("U-19b", "CSP form-action does not keep the form from reaching the client, and does not allow everything")
async def form_action(s):
    policy = expect.consent(await s.asks(s.a0())).header("content-security-policy") or ""
    found = re.search(r"form-action ([^;]*)", policy)
    if found:
        check("*" not in found.group(1).split(), "no form-action *", policy)
        check("'self'" in found.group(1) or s.base in found.group(1), "form-action with the server itself", policy)
    return found.group(0) if found else "no form-action"


async def open_redirect(s, target):
    browser = Browser(s)
    form, person = s.fixture["sign_in"], s.person(s.users[0])
    answer = await browser.post(f"{s.base}{form['path']}?next={quote(target, safe='')}", [(form["username_field"], person["username"]), (form["password_field"], person["password"]), ("next", target)])
    location = answer.location or "/"
    check(re.match(r"/(?![/\\])", location) or location.startswith(s.base + "/"), "a way back within the server", answer)


for number, target in enumerate(("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "http:evil.example", "https:/evil.example", "%2f%2fevil.example", " //evil.example", "/%0d%0aX:1")):
    row(f"U-20.{number}", f"the sign-in with next={target!r} stays on the server", open_redirect, target)


@case("U-20b", "the way back to /consent names only a ticket: a changed one is a page")
async def way_back(s):
    browser = Browser(s)
    answer = await browser.authorize(s.a0())
    check(answer.status in (302, 303), "the sign-in", answer)
    target = dict(p.split("=", 1) for p in (answer.location or "").split("?", 1)[-1].split("&") if "=" in p).get("next", "")
    check("evil" not in target and target.startswith(("%2F", "/")), "a relative way back", answer)


@case("U-21", "without script the whole flow works: one form, posted to the issuer, with buttons")
async def without_script(s):
    answer = await s.asks(s.a0())
    shown = read_consent(answer)
    check(shown.form.method == "post", "method=post", shown.form.method)
    check({v for k, v in shown.form.buttons if k == "decision"} == {"approve", "deny"}, "two buttons", shown.form.buttons)
    check(len([f for f in forms(answer.text) if "ticket" in dict(f.hidden)]) == 1, "one form", len(forms(answer.text)))
    check("onclick" not in answer.text.lower() and "onsubmit" not in answer.text.lower(), "no handlers", answer)


@case("U-22", "tickets do not tell what they hold: two of one request differ, and no parameter can be read in them")
async def opaque_tickets(s):
    browser = await s.browser()
    one, two = await browser.consent(s.a0()), await browser.consent(s.a0())
    check(one.ticket != two.ticket, "two tickets", "equal")
    import base64
    raw = base64.urlsafe_b64decode(re.sub(r"^[a-z]+_", "", one.ticket) + "===") if re.fullmatch(r"[\w=-]+", one.ticket) else one.ticket.encode()
    for value in (b"client.example", b"s1", s.client("public").client_id.encode(), b"notes"):
        if len(value) > 3:
            check(value not in raw and value.decode() not in one.ticket, "sealed", value)
    check(len(one.ticket) <= 6000, "a bounded ticket", len(one.ticket))


@case("U-23", "20 requests at once in one browser: each ticket is good for its own request only")
async def many_tabs(s):
    browser = await s.browser()
    await browser.consent(s.a0())
    shown = await asyncio.gather(*(browser.consent(edit(s.a0(), state=f"tab-{n}")) for n in range(20)))
    for number, page in enumerate(shown):
        answer = await browser.decide(page)
        expect.granted(s, answer, redirect=s.client("public").redirect, state=f"tab-{number}")


@case("U-24", "GET /consent never decides, whatever its query says")
async def by_get(s):
    browser = await s.browser()
    shown = await browser.consent(s.a0())
    answer = await browser.get(f"{s.url('consent')}?{encode(shown.pairs())}")
    check(answer.location is None or "code=" not in answer.location, "no code by GET", answer)
    check(answer.status in (200, 303, 400, 405), "a page", answer)

"""M: client ID metadata documents, served by the suite on loopback (which the development switch of the server allows)."""

import asyncio
import gzip
import json

from .. import expect
from ..browser import read_consent
from ..case import case, check, not_applicable, row
from ..documents import Reply, json_reply
from ..jose import Key

PATH = "/oauth/client.json"


async def asked(s, host, client_id, *, redirect=None):
    client = s.document_client(host, client_id, redirect=redirect)
    return await s.asks(s.a0(client, redirect=client.redirect_uris[0]))


async def paged(s, host, client_id, **more):
    answer = await asked(s, host, client_id, **more)
    return expect.page(answer, statuses=(400, 429))


@case("M-01", "a good document: one GET, Accept: application/json, no credentials; consent, code and tokens follow", gate=1)
async def good(s):
    async with s.document_host() as host:
        client = s.document_client(host, host.publish())
        tokens = await s.tokens(client)
        await expect.alive(s, tokens)
        check(host.count() == 1, "one fetch for the whole flow", f"{host.count()}")
        fetch = host.fetches[0]
        check(fetch.method == "GET", "GET", fetch.method)
        check("application/json" in fetch.headers.get("accept", ""), "Accept: application/json", fetch.headers)
        check(not {"cookie", "authorization", "referer"} & set(fetch.headers), "no credentials, cookies or referrer", fetch.headers)


@case("M-01b", "a good document at http://localhost is as good", gate=1)
async def good_localhost(s):
    async with s.document_host() as host:
        client_id = host.localhost + PATH
        host.publish(PATH, client_id=client_id)
        expect.consent(await asked(s, host, client_id))


async def no_fetch(s, client_id):
    """A client_id that no fetch may follow; `{port}` is the document host's, so that a fetch would be seen."""
    async with s.document_host() as host:
        value = client_id.replace("{port}", str(host.port))
        for path in (PATH, "/", "/client.json"):
            host.serve(path, json_reply({**host.document(path), "client_id": value}))
        await paged(s, host, value)
        check(host.count() == 0, "no fetch", f"{host.count()} fetches")


NO_FETCH = {
    "M-02": "http://client.example/c.json", "M-02b": "HTTPS://client.example/c.json", "M-02c": "ftp://client.example/c.json", "M-02d": "file:///etc/passwd", "M-02e": "data:application/json,%7B%7D",
    "M-03a": "https://client.example", "M-03b": "https://client.example/", "M-03c": "http://127.0.0.1:{port}/", "M-03d": "http://127.0.0.1:{port}",
    "M-04a": "https://client.example/c.json#", "M-04b": "https://client.example/c.json#x", "M-04c": "http://127.0.0.1:{port}/oauth/client.json#x",
    "M-05a": "https://client.example/a/../c.json", "M-05b": "https://client.example/./c.json", "M-05c": "https://client.example/%2e%2e/c.json", "M-05d": "http://127.0.0.1:{port}/a/../client.json", "M-05e": "http://127.0.0.1:{port}/a/%2E%2E/client.json",
    "M-06a": "https://user:pw@client.example/c.json", "M-06b": "https://@client.example/c.json", "M-06c": "http://user@127.0.0.1:{port}/client.json", "M-06d": "http://127.0.0.1:{port}@client.example/c.json",
    "M-07a": "https://client.example/c.json?x=1", "M-07b": "http://127.0.0.1:{port}/client.json?x=1", "M-07c": "http://127.0.0.1:{port}/client.json?",
    "M-09a": "https://CLIENT.example/c.json", "M-09b": "https://client.example:443/c.json", "M-09c": "http://127.0.0.1:{port}/%63lient.json", "M-09d": "HTTP://127.0.0.1:{port}/client.json", "M-09e": "http://127.0.0.1:0{port}/client.json", "M-09f": "http://LOCALHOST:{port}/client.json",
    "M-10a": "http://127.0.0.1:{port}/cli\tent.json", "M-10b": "http://127.0.0.1:{port}/client.json\n", "M-10c": "http://127.0.0.1:{port}/client.json\r", "M-10d": "http://127.0.0.1:{port}/client.json\x00",
    "M-10e": " http://127.0.0.1:{port}/client.json", "M-10f": "http://127.0.0.1:{port}\\client.json", "M-10g": "http://127.0.0.1:{port}/cli\u00e9nt.json", "M-10h": "http:\\\\127.0.0.1:{port}/client.json", "M-10i": "http://127.0.0.1:{port}/client.json ",
    "M-11a": "http://127.1:{port}/client.json", "M-11b": "http://2130706433:{port}/client.json", "M-11c": "http://0x7f000001:{port}/client.json", "M-11d": "http://0177.0.0.1:{port}/client.json", "M-11e": "http://127.0.0.1.:{port}/client.json",
    "M-12a": "https://10.0.0.1/c.json", "M-12b": "https://172.16.0.1/c.json", "M-12c": "https://192.168.1.1/c.json", "M-12d": "https://169.254.169.254/c.json", "M-12e": "https://100.64.0.1/c.json", "M-12f": "https://0.0.0.0/c.json",
    "M-12g": "https://192.0.0.192/c.json", "M-12h": "https://198.18.0.1/c.json", "M-12i": "https://224.0.0.1/c.json", "M-12j": "https://255.255.255.255/c.json", "M-12k": "http://0.0.0.0:{port}/client.json", "M-12l": "http://127.0.0.2:{port}/client.json",
    "M-12m": "https://192.0.2.1/c.json", "M-12n": "https://240.0.0.1/c.json", "M-12o": "https://169.254.170.2/c.json", "M-12p": "https://100.100.100.200/c.json",
    "M-13a": "https://[fe80::1]/c.json", "M-13b": "https://[fc00::1]/c.json", "M-13c": "https://[::]/c.json", "M-13d": "https://[ff02::1]/c.json", "M-13e": "https://[2001:db8::1]/c.json", "M-13f": "https://[fd00:ec2::254]/c.json",
    "M-14a": "http://[::ffff:127.0.0.1]:{port}/client.json", "M-14b": "https://[::ffff:10.0.0.1]/c.json", "M-14c": "https://[::ffff:a00:1]/c.json", "M-14d": "https://[::10.0.0.1]/c.json", "M-14e": "http://[0:0:0:0:0:0:0:1]:{port}/client.json",
    "M-15a": "https://[64:ff9b::a00:1]/c.json", "M-15b": "https://[2002:a00:1::]/c.json", "M-15c": "https://[2001:0:a00:1::f5ff:fffe]/c.json", "M-15d": "https://[fe80::5efe:a00:1]/c.json", "M-15e": "https://[64:ff9b:1::a00:1]/c.json",
    "M-17a": "http://localhost.:{port}/client.json", "M-17b": "http://foo.localhost:{port}/client.json", "M-17c": "https://metadata.google.internal/c.json", "M-17d": "http://127.0.0.1.nip.io:{port}/client.json",
    "M-19a": "http://127.0.0.1:65536/client.json", "M-19b": "http://127.0.0.1:/client.json", "M-19c": "http://127.0.0.1:0/client.json",
}
for id_, value in NO_FETCH.items():
    row(id_, f"client_id {ascii(value)} is a page without a fetch", no_fetch, value, gate=1)


@case("M-08", "a client_id with a port is as good as one without", gate=1)
async def with_port(s):
    async with s.document_host() as host:
        expect.consent(await asked(s, host, host.publish("/deep/path/client")))


not_applicable("M-16", "a name that resolves to 10.0.0.1 is refused", "needs a name server; the address rule is tested in the core and the fetcher")
not_applicable("M-18", "DNS rebinding: the checked address is the one connected to", "needs a name server; the fetcher's own tests prove it")


async def bad_document(s, reply, *, redirect=None):
    """A page; and the very same client_id is good as soon as its document is (errors are never cached)."""
    async with s.document_host() as host:
        host.serve("/other.json", json_reply(host.document("/other.json")))
        made = reply(host)
        if isinstance(made, str):
            made = json_reply(made)
        elif isinstance(made, dict):
            made = json_reply(made)
        host.serve(PATH, made)
        await paged(s, host, host.origin + PATH, redirect=redirect)
        check(host.count("/other.json") == 0, "no redirect followed", "followed")


def doc(**change):
    return lambda host: host.document(PATH, **change)


def status(number, *headers):
    return lambda host: Reply(number, json.dumps(host.document(PATH)).encode(), [("Content-Type", "application/json"), *((k, v.replace("{host}", host.origin)) for k, v in headers)])


def typed(*headers):
    return lambda host: Reply(200, json.dumps(host.document(PATH)).encode(), [("Content-Type", h) for h in headers])


def text(change):
    return lambda host: Reply(200, change(json.dumps(host.document(PATH))))


def gzipped(host):
    body = gzip.compress(json.dumps({**host.document(PATH), "pad": "0" * 50_000_000}).encode())
    return Reply(200, body, [("Content-Type", "application/json"), ("Content-Encoding", "gzip")])


def _script(send):
    return lambda host: Reply(script=lambda writer: send(host, writer))


async def _drip(host, writer):
    body = json.dumps(host.document(PATH)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    for byte in body[:25]:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def _endless(host, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
        await writer.drain()


async def _endless_headers(host, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    for number in range(20000):
        writer.write(b"X-%d: %s\r\n" % (number, b"y" * 200))
        await writer.drain()


async def _cut(host, writer):
    body = json.dumps(host.document(PATH)).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (len(body) + 500) + body)


async def _garbage(host, writer):
    writer.write(b"\x00\xff\xfe SSH-2.0-nonsense\r\n\r\n")


def _twice(member, first):
    return text(lambda t: ("{" + json.dumps(member) + ":" + json.dumps(first) + "," + t[1:]).encode())


BAD = {
    "M-21.301": ("a 301 to a good document", status(301, ("Location", "{host}/other.json"))), "M-21.302": ("a 302 to a good document", status(302, ("Location", "/other.json"))), "M-21.303": ("a 303", status(303, ("Location", "{host}/other.json"))),
    "M-21.307": ("a 307", status(307, ("Location", "{host}/other.json"))), "M-21.308": ("a 308", status(308, ("Location", "{host}/other.json"))),
    **{f"M-22.{n}": (f"status {n}", status(n)) for n in (201, 203, 206, 400, 401, 403, 404, 410, 429, 500, 503)},
    "M-22.204": ("status 204", lambda h: Reply(204, b"", [], None)), "M-22.304": ("status 304 without a condition", lambda h: Reply(304, b"", [], None)),
    "M-23a": ("text/html", typed("text/html")), "M-23b": ("text/plain", typed("text/plain")), "M-23c": ("no media type", typed()), "M-23d": ("application/octet-stream", typed("application/octet-stream")), "M-23e": ("text/json", typed("text/json")),
    "M-25": ("1 MB of a good document", doc(pad="x" * 1_000_000)), "M-25b": ("a name of 70 KB", doc(client_name="x" * 70_000)),
    "M-26": ("a gzip bomb of 50 MB", gzipped), "M-28a": ("a Content-Length that is too large", _script(_cut)), "M-28b": ("an endless chunked body", _script(_endless)), "M-28c": ("endless headers", _script(_endless_headers)), "M-28d": ("something that is not HTTP", _script(_garbage)),
    "M-29a": ("broken JSON", text(lambda t: t[:-1].encode())), "M-29b": ("an empty body", text(lambda t: b"")), "M-29c": ("deeply nested JSON", text(lambda t: b'{"a":' * 2000 + b"1" + b"}" * 2000)),
    "M-30a": ("two client_id members", _twice("client_id", "https://other.example/c.json")), "M-30b": ("two redirect_uris members", _twice("redirect_uris", ["https://evil.example/"])), "M-30c": ("two client_id members that differ in escapes", text(lambda t: t.replace('{"client_id"', '{"client_\\u0069d": "https://other.example/c", "client_id"', 1).encode())),
    "M-31a": ("the client_id of another path", doc(client_id="http://127.0.0.1/other.json")), "M-31b": ("the client_id with a slash", lambda h: h.document(PATH, client_id=h.origin + PATH + "/")), "M-31c": ("the client_id with localhost", lambda h: h.document(PATH, client_id=h.localhost + PATH)),
    "M-31d": ("the client_id in capitals", lambda h: h.document(PATH, client_id=(h.origin + PATH).upper())), "M-31e": ("the client_id as array", lambda h: {**h.document(PATH), "client_id": [h.origin + PATH]}),
    "M-32": ("no client_id", lambda h: {k: v for k, v in h.document(PATH).items() if k != "client_id"}), "M-32b": ("no redirect_uris", doc(redirect_uris=None)), "M-32c": ("empty redirect_uris", doc(redirect_uris=[])), "M-32d": ("redirect_uris as a string", lambda h: h.document(PATH, redirect_uris=h.origin + "/cb")), "M-32e": ("a number in redirect_uris", lambda h: h.document(PATH, redirect_uris=[h.origin + "/cb", 1])),
    "M-33a": ("a client_secret", doc(client_secret="s3cret")), "M-33b": ("a client_secret_expires_at", doc(client_secret_expires_at=0)),
    "M-34a": ("client_secret_basic", doc(token_endpoint_auth_method="client_secret_basic")), "M-34b": ("client_secret_post", doc(token_endpoint_auth_method="client_secret_post")), "M-34c": ("client_secret_jwt", doc(token_endpoint_auth_method="client_secret_jwt")), "M-34d": ("an auth method that is a number", doc(token_endpoint_auth_method=1)),
    "M-35a": ("private_key_jwt without keys", doc(token_endpoint_auth_method="private_key_jwt")), "M-35b": ("private_key_jwt with jwks and jwks_uri", lambda h: h.document(PATH, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [Key.ec().jwk]}, jwks_uri=h.origin + "/jwks.json")),
    "M-35c": ("private_key_jwt with a symmetric key", doc(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [{"kty": "oct", "k": "AAAA"}]})), "M-35d": ("private_key_jwt with a private key", lambda h: h.document(PATH, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [Key.ec().private_jwk]})),
    **{f"M-37.{i}": (f"a redirect {u!r}", (lambda u: lambda h: h.document(PATH, redirect_uris=[h.origin + "/cb", u]))(u)) for i, u in enumerate((
        "javascript:alert(1)", "http://evil.example/cb", "https://user@client.example/cb", "https://client.example/cb#x", "https://*.client.example/cb", "data:text/html,x", "/cb", "https://client.example/../cb", "https://client.example/cb?code=x"))},
    "M-56a": ("two Content-Type headers", typed("application/json", "text/html")), "M-56b": ("garbage after the JSON", text(lambda t: t.encode() + b"x")), "M-56c": ("a byte order mark", text(lambda t: b"\xef\xbb\xbf" + t.encode())),
    "M-56d": ("NaN", text(lambda t: (t[:-1] + ', "x": NaN}').encode())), "M-56e": ("UTF-16", text(lambda t: t.encode("utf-16"))), "M-56f": ("invalid UTF-8", text(lambda t: t.replace("Blackbox", "Black\udcff").encode("utf-8", "surrogateescape"))), "M-56g": ("a lone surrogate escape", text(lambda t: t.replace("Blackbox", "\\ud800").encode())), "M-56h": ("a comment", text(lambda t: b"/* */" + t.encode())),
    "M-56i": ("two documents", text(lambda t: t.encode() * 2)), "M-56j": ("a trailing comma", text(lambda t: (t[:-1] + ",}").encode())),
    **{f"M-57.{i}": (f"the JSON value {v}", text((lambda v: lambda t: v.encode())(v))) for i, v in enumerate(("[]", '"x"', "null", "1", "true", "[{}]"))},
}
for id_, (what, reply) in BAD.items():
    row(id_, f"a document that is {what} is a page" if not what.startswith(("a client", "two", "no ", "private")) else f"a document with {what} is a page", bad_document, reply, gate=1 if int(id_[2:4]) <= 42 else 0)


@case("M-24", "application/json with a charset, and application/…+json, are good", gate=1)
async def good_types(s):
    for media_type in ("application/json; charset=utf-8", "application/oauth-client+json", "Application/JSON"):
        async with s.document_host() as host:
            host.serve(PATH, Reply(200, json.dumps(host.document(PATH)).encode(), [("Content-Type", media_type)]))
            expect.consent(await asked(s, host, host.origin + PATH))


@case("M-25c", "a document of 4 KB is good, with unknown members and unknown grants", gate=1)
async def large_enough(s):
    async with s.document_host() as host:
        client_id = host.publish(pad="x" * 3000, grant_types=["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"], software_id="x", contacts=["a@example.org"])
        expect.consent(await asked(s, host, client_id))


@case("M-27", "a body of one byte a second is a page at the total deadline", gate=1)
async def slow(s):
    async with s.document_host() as host:
        host.serve(PATH, _script(_drip)(host))
        browser = await s.browser()
        client = s.document_client(host, host.origin + PATH)
        answer = await browser.authorize(s.a0(client, redirect=client.redirect_uris[0]), slow=True)
        expect.page(answer)
        check(answer.seconds < 15, "a page within the total deadline (10 s, and some)", f"{answer.seconds:.1f} s")
        return f"{answer.seconds:.1f} s"


@case("M-36", "logo, policy and sector addresses in a document are never fetched by the server nor loaded by its page", gate=1)
async def inner_addresses(s):
    async with s.document_host() as host:
        client_id = host.publish(logo_uri=host.origin + "/logo.png", policy_uri=host.origin + "/policy", tos_uri="http://169.254.169.254/latest", sector_identifier_uri=host.origin + "/sector.json", client_uri=host.origin + "/")
        answer = await asked(s, host, client_id)
        if answer.status == 200:
            check(f'src="{host.origin}' not in answer.text and "<img" not in answer.text.lower().replace('<img src="data:', ""), "no foreign image on the page", answer.text[:300])
        else:
            expect.page(answer)
        check({f.target for f in host.fetches} <= {PATH}, "only the document fetched", [f.target for f in host.fetches])


@case("M-36b", "a jwks_uri at an internal address is never fetched: a page or 401", gate=1)
async def internal_jwks(s):
    for uri in ("http://169.254.169.254/jwks", "https://10.0.0.1/jwks", "http://client.example/jwks", "file:///etc/passwd"):
        async with s.document_host() as host:
            client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)
            answer = await asked(s, host, client_id)
            if answer.status == 200:
                client = s.document_client(host, client_id, key=Key.ec())
                expect.token_401(await s.redeem(await s.code(client)))
            else:
                expect.page(answer)


@case("M-38", "a redirect on another host than the document: both hosts are shown, or it is refused")
async def other_host(s):
    async with s.document_host() as host:
        client_id = host.localhost + PATH
        host.publish(client_id=client_id, redirect_uris=["https://client.example/cb"])
        answer = await asked(s, host, client_id, redirect="https://client.example/cb")
        if answer.status != 200:
            expect.page(answer)
            return "refused"
        check("client.example" in answer.text and "localhost" in answer.text, "both hosts on the page", answer)


@case("M-39", "a redirect that is not in the document is a page", gate=1)
async def foreign_redirect(s):
    async with s.document_host() as host:
        client_id = host.publish(redirect_uris=["https://client.example/cb"])
        for redirect in ("https://evil.example/", "https://client.example/cb/", "https://client.example/CB"):
            await paged(s, host, client_id, redirect=redirect)


@case("M-39b", "a portless loopback redirect of a document goes to any port (Claude Code)", gate=1)
async def loopback_document(s):
    async with s.document_host() as host:
        client_id = host.publish(redirect_uris=["http://localhost/callback", "http://127.0.0.1/callback"])
        for redirect in ("http://localhost:3118/callback", "http://127.0.0.1:3118/callback"):
            browser, client = await s.browser(), s.document_client(host, client_id, redirect=redirect)
            expect.granted(s, await browser.decide(await browser.consent(s.a0(client, redirect=redirect))), redirect=redirect)
        await paged(s, host, client_id, redirect="http://[::1]:3118/callback")


for number, name in enumerate(("<script>alert(1)</script>", "\u202eelgooG", "x" * 3500, "Google", "line\nfeed", "\"><img src=x onerror=alert(1)>", "{{7*7}} ${7*7} <%= 7*7 %>", "\u0000null")):
    row(f"M-40.{number}", f"client_name {ascii(name[:30])}: refused, or escaped and cut, with the host of the client_id beside it", lambda s, n: _name(s, n), name, gate=1)


async def _name(s, name):
    async with s.document_host() as host:
        client_id = host.localhost + PATH
        host.publish(client_id=client_id, client_name=name)
        answer = await asked(s, host, client_id)
        if answer.status != 200:
            expect.page(answer)
            return "refused"
        expect.consent(answer)
        check("localhost" in answer.text, "the host of the client_id on the page", answer)
        for bad in ("<script>alert", "<img", "\u202e", "x" * 1000, "\x00", ">49 49"):
            check(bad not in answer.text, "the name escaped and cut", bad)


@case("M-42", "a bad document, then a good one a second later: the second request is OK (errors are not cached)", gate=1)
async def recovers(s):
    for reply in (status(404), status(500), typed("text/html"), text(lambda t: b"{"), lambda h: json_reply(h.document(PATH, client_secret="x"))):
        async with s.document_host() as host:
            host.serve(PATH, reply(host))
            await paged(s, host, host.origin + PATH)
            await asyncio.sleep(1.2)
            client_id = host.publish()
            expect.consent(await asked(s, host, client_id))


@case("M-43", "a good document, then its host goes down: the last good copy serves")
async def host_down(s):
    async with s.document_host() as host:
        client_id = host.publish()
        expect.consent(await asked(s, host, client_id))
        await host.stop()
        expect.consent(await asked(s, host, client_id))


@case("M-43b", "a document that must not be stored and then answers 500, or drops the line: the last good copy serves")
async def host_broken(s):
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store, max-age=0")]
    async with s.document_host() as host:
        host.serve(PATH, json_reply(host.document(PATH), headers=headers))
        expect.consent(await asked(s, host, host.origin + PATH))
        for reply in (Reply(500, b""), Reply(503, b""), Reply(429, b""), Reply(script=_nothing)):
            host.serve(PATH, reply)
            expect.consent(await asked(s, host, host.origin + PATH))


async def _nothing(writer):
    writer.close()


@case("M-44", "a document that is gone (404, 410) is gone at once, as soon as it is looked for again")
async def gone(s):
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store, max-age=0")]
    async with s.document_host() as host:
        host.serve(PATH, json_reply(host.document(PATH), headers=headers))
        expect.consent(await asked(s, host, host.origin + PATH))
        before = host.count()
        host.serve(PATH, Reply(404, b"{}"))
        answer = await asked(s, host, host.origin + PATH)
        s.need(host.count() > before, "the server answered from its cache of the document (its minimum age)")
        expect.page(answer)


@case("M-45", "a document rotates its keys: one refetch on an unknown kid, the new key is good, the old one is not")
async def rotated_keys(s):
    async with s.document_host() as host:
        old, new = Key.ec("old"), Key.ec("new")
        client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [old.jwk]})
        expect.token_ok(await s.redeem(await s.code(s.document_client(host, client_id, key=old))))
        host.publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [new.jwk]})
        await asyncio.sleep(1.2)
        before = host.count()
        expect.token_ok(await s.redeem(await s.code(s.document_client(host, client_id, key=new))))
        check(host.count() - before == 1, "one refetch", f"{host.count() - before}")
        expect.token_401(await s.redeem(await s.code(s.document_client(host, client_id, key=old))))


@case("M-47", "a document with private_key_jwt needs its key at every endpoint: token, refresh, revocation")
async def authenticated_everywhere(s):
    async with s.document_host() as host:
        key = Key.ec()
        client_id = host.publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.jwk]})
        client = s.document_client(host, client_id, key=key)
        code = await s.code(client)
        expect.token_401(await s.wire.form(s.url("token"), s.t0(code)))
        tokens = s.keep(code, await s.redeem(code))
        expect.token_401(await s.wire.form(s.url("token"), s.f0(tokens)))
        expect.token_401(await s.wire.form(s.url("revoke"), [("token", tokens.refresh_token), ("client_id", client_id)]))
        await expect.alive(s, tokens)


@case("M-48", "60 parallel requests for one uncached client_id cause exactly one fetch")
async def coalesced(s):
    async with s.document_host() as host:
        # Long enough for all of them to arrive while it is fetched, on a slow machine too.
        host.serve(PATH, json_reply(host.document(PATH), delay=2))
        client = s.document_client(host, host.origin + PATH)
        browsers = [await s.browser() for _ in range(60)]
        answers = await asyncio.gather(*(b.authorize(s.a0(client, redirect=client.redirect_uris[0])) for b in browsers))
        for answer in answers:
            expect.consent(answer)
        check(host.count() == 1, "exactly one fetch", f"{host.count()}")


@case("M-49", "300 paths of one host: its budget is reached before the last, the rest are pages or 429", alone=True)
async def many_paths(s):
    s.need(s.fetch_budget and s.fetch_budget < 300, "the suite was not told a budget below 300 fetches (run `--case M-49 --fetch-budget 30` against the server's default budget)")
    async with s.document_host() as host:
        refused = 0
        for start in range(0, 300, 25):
            clients = [s.document_client(host, host.publish(f"/c{n}.json")) for n in range(start, start + 25)]
            browser = await s.browser()
            answers = await asyncio.gather(*(browser.authorize(s.a0(c, redirect=c.redirect_uris[0])) for c in clients))
            for answer in answers:
                if answer.status != 200:
                    refused += 1
                    expect.page(answer, statuses=(400, 429))
        check(host.count() <= s.fetch_budget * 2, f"about {s.fetch_budget} fetches a minute", f"{host.count()} fetches")
        return f"{host.count()} fetches, {refused} refused"


@case("M-50", "the token endpoint asked with an unknown document client_id is 401, with few fetches and no 5xx")
async def at_token(s):
    async with s.document_host() as host:
        from ..suite import Code
        for path in ("/missing.json", "/nothing.json"):
            client = s.document_client(host, host.origin + path)
            expect.refused(await s.redeem(Code("x" * 40, client, client.redirect, "mcp")), "invalid_grant")


@case("M-51", "ids made by registration never look like a URL, also when one is asked for")
async def made_ids(s):
    s.need_registration()
    answer = await s.post_registration({"client_id": "https://client.example/oauth/client.json", "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none"})
    check(answer.status in (201, 400), "201 or 400", answer)
    if answer.status == 201:
        check("://" not in answer.json()["client_id"], "an id of the server's making", answer.json()["client_id"])


not_applicable("M-46", "auth method none becomes private_key_jwt", "the same as F-29")
not_applicable("M-52", "a pre-registered URL client_id wins over its document", "the fixture has no such client; the core's tests cover it")


@case("M-53", "advertised: client_id_metadata_document_supported is true exactly when documents are read")
async def advertised(s):
    expected = s.fixture.get("client_documents") not in (None, "off")
    check(bool(s.metadata.get("client_id_metadata_document_supported")) is expected, expected, s.metadata.get("client_id_metadata_document_supported"))


@case("M-55", "a client_id that points back at the server itself is a page and does not hang")
async def itself(s):
    for path in ("/.well-known/oauth-authorization-server", "/authorize", "/token", "/mcp"):
        client = s.document_client(_Nowhere(), s.base + path)
        expect.page(await s.asks(s.a0(client, redirect="https://client.example/cb")))


class _Nowhere:
    origin = "https://client.example"


@case("M-58", "an attacker who uses a native client's id with a loopback redirect meets the consent page, the redirect's host and a warning, every time")
async def impersonated(s):
    async with s.document_host() as host:
        client_id = host.publish(redirect_uris=["http://localhost/cb"])
        client = s.document_client(host, client_id, redirect="http://localhost:1/cb")
        browser = await s.browser()
        for _ in range(2):
            answer = await browser.authorize(s.a0(client, redirect="http://localhost:1/cb"))
            expect.consent(answer)
            check("localhost" in answer.text, "the host of the redirect on the page", answer)
            words = answer.text.lower()
            check(any(w in words for w in ("this computer", "this device", "your computer", "your device", "local")), "a warning that the redirect is on this device", answer)
            expect.granted(s, await browser.decide(read_consent(answer)), redirect="http://localhost:1/cb")

"""I: issuer and metadata (the authorization server's rows; the client's are its own suite's)."""

from urllib.parse import urlsplit

from .. import expect
from ..case import case, check, not_applicable, row
from ..wire import edit, encode


def document(answer):
    check(answer.status == 200 and answer.media_type == "application/json", "200 application/json", answer)
    return answer.json()


def forms(s):
    path = urlsplit(s.issuer).path
    found = [s.well_known("oauth-authorization-server"), s.well_known("openid-configuration")]
    if path:
        found += [s.base + path + "/.well-known/openid-configuration", s.base + path + "/.well-known/oauth-authorization-server"]
    return found


@case("I-01", "the success and the error response name the issuer exactly", gate=1)
async def named(s):
    expect.granted(s, await s.approved(s.a0()), redirect=s.client("public").redirect)
    expect.redirected(s, await s.asks(edit(s.a0(), response_type="token")), "unsupported_response_type", redirect=s.client("public").redirect)


@case("I-02", "metadata: authorization_response_iss_parameter_supported is true", gate=1)
async def promised(s):
    check(document(await s.wire.send("GET", forms(s)[0])).get("authorization_response_iss_parameter_supported") is True, "true", s.metadata)


@case("I-04", "every form of the well-known path serves the same document, whose issuer is byte for byte the configured one", gate=1)
async def every_form(s):
    documents = [document(await s.wire.send("GET", url)) for url in forms(s)]
    check(all(d.get("issuer") == s.issuer for d in documents), s.issuer, [d.get("issuer") for d in documents])
    check(all(d == documents[0] for d in documents), "the same document everywhere", [sorted(d) for d in documents])


@case("I-06", "no null, empty string or empty array in the metadata, endpoints below the issuer, required members there", gate=1)
async def members(s):
    value = document(await s.wire.send("GET", forms(s)[0]))
    check(not [k for k, v in value.items() if v in (None, "", [], {})], "no empty member", value)
    endpoints = {k: v for k, v in value.items() if k.endswith("_endpoint") or k == "jwks_uri"}
    check(all(v.startswith(s.issuer + "/") for v in endpoints.values()), f"endpoints below {s.issuer}", endpoints)
    for name in ("authorization_endpoint", "token_endpoint", "response_types_supported", "grant_types_supported", "scopes_supported", "token_endpoint_auth_methods_supported"):
        check(name in value, name, sorted(value))
    check(value["response_types_supported"] == ["code"], '["code"]', value["response_types_supported"])
    check(not {"implicit", "password"} & set(value["grant_types_supported"]), "no implicit, no password", value["grant_types_supported"])


@case("I-07", "a key set is advertised and served exactly with JWT access tokens, and holds no private member", gate=1)
async def key_set(s):
    if s.opaque:
        check("jwks_uri" not in s.metadata, "no jwks_uri with opaque tokens", s.metadata.get("jwks_uri"))
        answer = await s.wire.send("GET", s.issuer + "/jwks")
        check(answer.status == 404, "404", answer)
        return
    keys = document(await s.wire.send("GET", s.metadata["jwks_uri"]))["keys"]
    check(keys and not [k for k in keys if {"d", "k", "p", "q"} & set(k) or k.get("kty") == "oct"], "public keys only", keys)


@case("I-09", "registration, revocation and introspection are advertised exactly when served", gate=1)
async def advertised(s):
    for member, endpoint in (("registration_endpoint", "register"), ("revocation_endpoint", "revoke"), ("introspection_endpoint", "introspect")):
        answer = await s.wire.send("POST", s.metadata.get(member, f"{s.issuer}/{endpoint}"))
        check((answer.status == 404) == (member not in s.metadata), f"{member} consistent", answer)


@case("I-10", "the metadata is cacheable, readable from any origin and only by GET or HEAD", gate=1)
async def read_only(s):
    for url in forms(s)[:1]:
        answer = await s.wire.send("GET", url, headers=[("Origin", "https://inspector.example")])
        check(answer.header("access-control-allow-origin") == "*", "Access-Control-Allow-Origin: *", answer.headers)
        check(answer.header("access-control-allow-credentials") is None, "no credentials", answer.headers)
        check("max-age" in (answer.header("cache-control") or ""), "Cache-Control with max-age", answer.header("cache-control"))
        for method in ("POST", "PUT", "DELETE"):
            answer = await s.wire.send(method, url)
            check(answer.status == 405 and answer.header("allow"), "405 with Allow", answer)


@case("I-10b", "a preflight with MCP-Protocol-Version on the metadata is allowed (the TypeScript SDK sends it)")
async def preflight(s):
    answer = await s.wire.send("OPTIONS", forms(s)[0], headers=[("Origin", "https://inspector.example"), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "mcp-protocol-version")])
    allowed = (answer.header("access-control-allow-headers") or "").lower()
    check(answer.status in (200, 204) and ("mcp-protocol-version" in allowed or allowed == "*"), "MCP-Protocol-Version allowed", answer.headers)


for number, path in enumerate(("/other", "/t2", "//", "/../t1", "/%2e%2e")):
    row(f"I-19.{number}", f"metadata asked for {path}, which is no issuer of this server, is 404", lambda s, p: _no_issuer(s, p), path)


async def _no_issuer(s, path):
    s.need(path != urlsplit(s.issuer).path, "that is the issuer's path")
    for name in ("oauth-authorization-server", "openid-configuration"):
        answer = await s.wire.send("GET", f"{s.base}/.well-known/{name}{path}")
        if answer.status == 200:
            check(answer.json().get("issuer") == s.issuer and path in ("//", "/../t1", "/%2e%2e"), "404", answer)
        else:
            check(answer.status in (307, 308, 400, 404), "404", answer)


@case("I-19.p", "an issuer with a path is found by path insertion")
async def path_insertion(s):
    s.need(urlsplit(s.issuer).path, "the issuer has no path (run the server with EXAMPLE_ISSUER_PATH and the suite with --issuer-path)")
    value = document(await s.wire.send("GET", s.well_known("oauth-authorization-server")))
    check(value["issuer"] == s.issuer, s.issuer, value["issuer"])


SPOOFS = {
    "X-Forwarded-Host": [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "1")], "Forwarded": [("Forwarded", 'host="evil.example";proto=https')],
    "X-Original-URL": [("X-Original-URL", "/evil"), ("X-Rewrite-URL", "/evil")], "X-Forwarded-Prefix": [("X-Forwarded-Prefix", "/evil"), ("X-Script-Name", "/evil")],
}


async def spoofed(s, headers):
    answer = await s.wire.send("GET", forms(s)[0], headers=headers)
    check("evil" not in answer.text and document(answer)["issuer"] == s.issuer, "the configured issuer", answer)
    browser = await s.browser()
    shown = await browser.authorize(s.a0(), headers=headers)
    expect.consent(shown)
    check("evil" not in shown.text, "nothing of the header on the page", "evil on the page")
    refused = await browser.authorize(edit(s.a0(), response_type="token"), headers=headers)
    expect.redirected(s, refused, "unsupported_response_type", redirect=s.client("public").redirect)
    challenged = await s.call(None, headers=headers)
    expect.resource_401(s, challenged)


for number, (name, headers) in enumerate(SPOOFS.items()):
    row(f"I-20.{number}", f"{name} decides nothing: issuer, endpoints and challenges come from the configuration", spoofed, headers)


@case("I-20.host", "Host: evil.example decides nothing on metadata and /authorize")
async def spoofed_host(s):
    for host in ("evil.example", "evil.example:80", 'a"b'):
        for target in (forms(s)[0][len(s.base):], f"{s.path('authorize')}?{encode(s.a0())}"):
            answer = await s.wire.raw(s.wire.request_bytes("GET", target, host=host))
            if answer is None or answer.status in (400, 404, 421):
                continue  # a host that refuses foreign names is as good
            check("evil.example" not in answer.text and "evil.example" not in (answer.location or ""), "nothing of the Host header", answer)
            if answer.media_type == "application/json":
                check(answer.json()["issuer"] == s.issuer, s.issuer, answer)


@case("I-21", "the protected resources' metadata name this issuer, and the issuer serves them")
async def cross_check(s):
    for name in s.fixture["resources"]:
        parts = urlsplit(s.resource(name))
        value = document(await s.wire.send("GET", f"{s.base}/.well-known/oauth-protected-resource{parts.path}"))
        check(value.get("authorization_servers") == [s.issuer], f"[{s.issuer}]", value.get("authorization_servers"))


for id_ in ("I-03", "I-05", "I-08", "I-11", "I-12", "I-14", "I-17"):
    not_applicable(id_, "a row about what a client does with iss, metadata or state", "concerns the client role; no server under test")

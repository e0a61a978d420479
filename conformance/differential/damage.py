"""What can be wrong with a request: small changes, most of which no client would make and some of which an attacker would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from wire import Request

Damage = Callable[[Random, Request], Request]
ODD_BYTES = [b"\xff", "ü".encode(), b"\xc3\x28", b"%00", b"%ff", b"%zz", b"%", b"+", b"%2B", b"%2f", b"%C3%BC", b"'()*!~", b";", b"\x7f", b"%0d%0aX: y", b"[]", b"\\", b"|", b"^", b'"', b"<>", b"{}"]
TYPES = [
    b"application/x-www-form-urlencoded; charset=utf-8", b"APPLICATION/X-WWW-FORM-URLENCODED", b"application/x-www-form-urlencoded;charset=latin1", b"text/plain", b"",
    b"application/json", b"application/json; charset=utf-16", b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded, text/plain", b"application/jsonx", b"\xff",
]  # fmt: skip
SAMPLE_HEADERS = [
    (b"Authorization", b"Bearer"), (b"Authorization", b"Bearer  "), (b"Authorization", b"Basic !!!"), (b"Authorization", b"Basic d2ViOg=="), (b"Authorization", b"Basic Og=="),
    (b"Authorization", b"Bearer \xff"), (b"Authorization", b""), (b"Authorization", "Bearer ü".encode()), (b"Authorization", b"Bearer a b"), (b"Authorization", b"Bearer a,Bearer b"),
    (b"authorization", b"Bearer lsa_x"), (b"Origin", b"null"), (b"Origin", b"https://app.example"), (b"Origin", b""), (b"Origin", b"https://app.example, https://b.example"),
    (b"Cookie", b"__Host-lockstep=x"), (b"Cookie", b"\xff=\xff; a"), (b"Cookie", b";;;"), (b"Accept", b"text/html"), (b"X-Forwarded-For", b"203.0.113.9"), (b"X-Forwarded-Host", b"evil.example"),
    (b"X-HTTP-Method-Override", b"GET"), (b"DPoP", b"x.y.z"), (b"Sec-Fetch-Site", b"cross-site"), (b"Sec-Fetch-Site", b"same-origin"), (b"X-User", "ü".encode()), (b"X-User", b"a\xff"),
    (b"Accept-Encoding", b"gzip"), (b"If-None-Match", b"*"), (b"Range", b"bytes=0-1"), (b"X-Tab", b"a\tb"), (b"X-Long", b"x" * 4000),
]  # fmt: skip


def some(rng: Random, text: bytes, by: Callable[[bytes], bytes]) -> bytes:
    """The text with one of its bytes, or a place between two, changed."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + by(text[at : at + 1]) + text[at + 1 :]


def fields(rng: Random, text: bytes) -> bytes:
    """A query or a form with one thing wrong."""
    pairs = text.split(b"&") if text else []
    at = rng.randrange(len(pairs)) if pairs else 0
    one = pairs[at] if pairs else b"a=b"
    name, _, value = one.partition(b"=")
    match rng.randrange(12):
        case 0:
            pairs.append(one)
        case 1:
            pairs.append(name + b"=other")
        case 2:
            pairs[at : at + 1] = []
        case 3:
            pairs[at : at + 1] = [name.upper() + b"=" + value]
        case 4:
            pairs[at : at + 1] = [name + b"="]
        case 5:
            pairs[at : at + 1] = [name]
        case 6:
            pairs[at : at + 1] = [name + b"=" + some(rng, value, lambda old: rng.choice(ODD_BYTES) + old)]
        case 7:
            pairs[at : at + 1] = [b"%%%02x" % name[0] + name[1:] + b"=" + value if name else b"="]
        case 8:
            pairs[at : at + 1] = [name + b"[]=" + value]
        case 9:
            pairs[at : at + 1] = [name + b"=" + value + b"x" * rng.choice([1, 100, 3000])]
        case 10:
            pairs.insert(at, rng.choice([b"", b"=", b"unknown=1", b"a;b=c", b"__proto__=1", b"constructor=1"]))
        case _:
            pairs[at : at + 1] = [name + b"=" + some(rng, value, lambda old: bytes([rng.randrange(33, 126)]))]
    return b"&".join(pairs)


def query(rng: Random, request: Request) -> Request:
    return replace(request, query=fields(rng, request.query or b""))


def body(rng: Random, request: Request) -> Request:
    if request.body[:1] not in b"{[" and rng.random() < 0.85:
        return replace(request, body=fields(rng, request.body))
    text = request.body
    changes: list[Callable[[], bytes]] = [
        lambda: b"", lambda: text[: len(text) // 2], lambda: b"\xef\xbb\xbf" + text, lambda: text + b"\x00", lambda: text + b" \n", lambda: text + text, lambda: b"[" * 200,
        lambda: text.decode("utf-8", "replace").encode("utf-16"), lambda: b"null", lambda: b'"text"', lambda: some(rng, text, lambda old: b"\xff"), lambda: text.replace(b"{", b'{"redirect_uris":[],', 1),
        lambda: text.replace(b"{", b'{"a":1e400,', 1), lambda: text.replace(b"{", b'{"\\ud800":1,', 1), lambda: text.replace(b'"', b"'"), lambda: text.replace(b"{", b'{"__proto__":{"a":1},', 1),
        lambda: some(rng, text, lambda old: b""), lambda: text + b"x" * (65_536 - len(text)), lambda: text + b"x" * (65_537 - len(text)), lambda: text + b" " * 70_000,
    ]  # fmt: skip
    return replace(request, body=rng.choice(changes)())


def moved(rng: Random, request: Request) -> Request:
    """Parameters where they do not belong."""
    if request.body:
        return replace(request, query=request.body if len(request.body) < 6000 else b"x=y", body=rng.choice([request.body, b""]))
    return replace(request, method=b"POST", body=request.query or b"a=b", query=rng.choice([request.query, None])).having((b"Content-Type", TYPES[0]))


def content_type(rng: Random, request: Request) -> Request:
    bare = request.without(b"content-type")
    given = (b"Content-Type", rng.choice(TYPES))
    return rng.choice([bare, bare.having(given), bare.having(given), request.having(given)])


def header_twice(rng: Random, request: Request) -> Request:
    if not request.headers:
        return added(rng, request)
    name, value = rng.choice(request.headers)
    return request.having((rng.choice([name, name.lower(), name.upper()]), rng.choice([value, b"", value + b"x", b"other"])))


def header_gone(rng: Random, request: Request) -> Request:
    return request.without(rng.choice(request.headers)[0].lower()) if request.headers else request


def header_value(rng: Random, request: Request) -> Request:
    if not request.headers:
        return added(rng, request)
    at = rng.randrange(len(request.headers))
    name, value = request.headers[at]
    changed = rng.choice([
        b"  " + value + b" \t", value.upper(), value.replace(b" ", b"  "), value + b"\xff", value[: len(value) // 2], some(rng, value, lambda old: bytes([rng.randrange(33, 126)])),
        value + b", " + value, value.replace(b" ", b"\t", 1),
    ])  # fmt: skip
    return replace(request, headers=(*request.headers[:at], (name, changed), *request.headers[at + 1 :]))


def added(rng: Random, request: Request) -> Request:
    return request.having(rng.choice(SAMPLE_HEADERS))


def method(rng: Random, request: Request) -> Request:
    return replace(request, method=rng.choice([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS"]))


def path(rng: Random, request: Request) -> Request:
    old = request.path
    at = rng.randrange(1, len(old)) if len(old) > 1 else 0
    encoded = old[:at] + b"%%%02X" % old[at] + old[at + 1 :]
    changed = [encoded, encoded.lower(), old + b"/", old + b"//", b"/" + old, old + b";x=1", old + b"%00", old + b"%20", old.upper(), old + b"/..", b"/x/.." + old, old + b"/.", old + b".json", old + b"%2f", old + b"'", old.replace(b"-", b"%2D"), old + b"/x", b"/." + old]
    return replace(request, path=rng.choice(changed))


def empty_query(rng: Random, request: Request) -> Request:
    return replace(request, query=rng.choice([b"", b"?", b"&", b"x", b"a=b?c=d", b"%", b"#"[:0] + b"a=%23"]))


def chunks(rng: Random, request: Request) -> Request:
    return replace(request, chunked=True, method=request.method if request.body else b"POST")


def token_in_query(rng: Random, request: Request) -> Request:
    return replace(request, query=(request.query + b"&" if request.query else b"") + rng.choice([b"access_token=x", b"access%5Ftoken=x", b"access_token", b"Access_Token=x"]))


# For any request: an HTTP server that takes one of these takes them all.
ANY: list[Damage] = [*[query] * 3, *[body] * 6, moved, content_type, header_twice, header_twice, header_gone, header_value, header_value, added, added, method, path, empty_query, chunks, token_in_query]


def odd_method(rng: Random, request: Request) -> Request:
    return replace(request, method=rng.choice([b"get", b"TRACE", b"PROPFIND", b"PURGE", b"BREW", b"QUERY", b"G\xfcT", b"LINK"]))


def odd_target(rng: Random, request: Request) -> Request:
    return replace(request, path=rng.choice([b"http://as.example" + request.path, b"*", request.path + b"\xff", request.path + "ü".encode(), request.path + b"\\", request.path + b"|", request.path + b"\x7f", request.path + b"#frag", b"as.example" + request.path]))


def odd_query(rng: Random, request: Request) -> Request:
    return replace(request, query=(request.query or b"") + rng.choice([b"\xff", "&ü=ü".encode(), b"&a=|^`{}", b"&a=\x7f", b"&a=#b", b'&a="<>', b"&x=" + b"y" * 12_000, b"&x=" + b"y" * 70_000]))


def odd_header(rng: Random, request: Request) -> Request:
    return request.having(rng.choice([(b"X Y", b"z"), (b"X-Y", b"a\x01b"), (b"X-Y", b"a\x7fb"), (b"X\xff", b"z"), (b"X-Long", b"x" * 20_000), (b"Host", b"other.example"), (b"X-Y ", b"z"), (b"Content-Length", b"0"), (b"Expect", b"100-continue"), (b"Upgrade", b"websocket")]))


# Where the HTTP servers themselves differ. Only for requests that change nothing, since one host may not see them.
WIRE: list[Damage] = [odd_method, odd_target, odd_query, odd_header]
CHANGES_NOTHING = frozenset(("bearer", "document", "preflight", "elsewhere", "introspect", "tool"))

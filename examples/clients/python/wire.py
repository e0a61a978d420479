"""What `drive.py` stands on: a transport that prints every exchange, a headless browser, a document server."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import httpx2

SECRETS = {"access_token", "refresh_token", "token", "code", "code_verifier", "code_challenge", "state", "ticket", "seal",
           "client_secret", "registration_access_token", "password"}
TELLING = ["error", "error_description", "resource", "authorization_servers", "issuer", "authorization_endpoint",
           "token_endpoint", "registration_endpoint", "revocation_endpoint", "code_challenge_methods_supported",
           "authorization_response_iss_parameter_supported", "client_id_metadata_document_supported",
           "scopes_supported", "client_id", "redirect_uris", "token_endpoint_auth_method", "token_type", "scope",
           "expires_in", "access_token", "refresh_token"]  # members of JSON answers worth a line, in this order


class CheckFailed(Exception):
    """A step of the demonstration did not hold."""


def short(value: str) -> str:
    """A secret, shortened: enough to recognise it again, not enough to use it."""
    return value if len(value) <= 8 else value[:8] + "…"


def shown(name: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{name} = {'…' if name == 'password' else short(text) if name in SECRETS else without_secrets(text)}"


def without_secrets(text: str) -> str:
    """Shorten what is secret inside a URL, a header or a line of text."""
    text = re.sub(r"(?<=Bearer )[A-Za-z0-9._~+/-]{9,}=*(?![\w=])", lambda m: short(m[0]), text)
    return re.sub(r"(?<![\w])(" + "|".join(SECRETS) + r")=([^&\s\"]+)", lambda m: f"{m[1]}={short(m[2])}", text)


@dataclass
class Exchange:
    """One HTTP request and its answer."""

    who: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer_headers: dict[str, str]
    answer: bytes
    lost: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode())) if "form" in self.headers.get("content-type", "") else {}

    @property
    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.answer)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def tool(self) -> str | None:
        """The MCP tool that this request calls, if it calls one."""
        if "json" not in self.headers.get("content-type", ""):
            return None
        message = json.loads(self.body or b"{}")
        return message.get("params", {}).get("name") if message.get("method") == "tools/call" else None

    @property
    def challenge(self) -> dict[str, str]:
        """The parameters of `WWW-Authenticate: Bearer …`."""
        return dict(re.findall(r'(\w+)="([^"]*)"', self.answer_headers.get("www-authenticate", "")))

    def lines(self) -> list[str]:
        split = urlsplit(self.url)
        lines = [f"{self.who:7} {self.method} {split.scheme}://{split.netloc}{split.path}"]
        pairs = parse_qsl(split.query) + (parse_qsl(self.body.decode()) if self.form else [])
        lines += [f"          {shown(name, value)}" for name, value in pairs]
        if "json" in self.headers.get("content-type", "") and self.body:
            message = json.loads(self.body)
            if "method" in message:
                tool = message.get("params", {}).get("name")
                arguments = json.dumps(message.get("params", {}).get("arguments") or {})
                lines.append(f"          {message['method']}" + (f" {tool} {arguments}" if tool else ""))
            else:
                lines += [f"          {shown(k, v)}" for k, v in message.items()]
        if "authorization" in self.headers:
            lines.append("          Authorization: " + without_secrets(self.headers["authorization"]))
        lines.append(f"       <- {self.status}" + ("   (this answer gets lost on the way back)" if self.lost else ""))
        for name in ("www-authenticate", "location"):
            if name in self.answer_headers:
                lines.append(f"          {name}: " + without_secrets(unquote(self.answer_headers[name])))
        if "jsonrpc" in self.json:
            outcome = self.json.get("result") or self.json.get("error") or {}
            texts = [part.get("text", "") for part in outcome.get("content", [])] if "content" in outcome else []
            lines.append("          " + " ".join((" / ".join(texts) if texts else ", ".join(outcome)).split())[:150])
        else:
            lines += [f"          {shown(name, self.json[name])}" for name in TELLING if name in self.json]
        return lines


@dataclass
class Trace:
    """Prints and keeps every exchange, announces the steps, and checks what should hold."""

    exchanges: list[Exchange] = field(default_factory=list)
    steps: list[tuple[Callable[[Exchange], bool], str, str]] = field(default_factory=list)
    count: int = 0
    checks: int = 0

    def step(self, title: str, why: str) -> None:
        self.count += 1
        print(f"\n--- {self.count}. {title} ---\n    {why}\n", flush=True)

    def expect(self, *steps: tuple[Callable[[Exchange], bool], str, str]) -> None:
        """Steps that the SDK will go through by itself: each is announced at the exchange it begins with."""
        self.steps = list(steps)

    def add(self, exchange: Exchange) -> None:
        if self.steps and self.steps[0][0](exchange):
            _, title, why = self.steps.pop(0)
            self.step(title, why)
        self.exchanges.append(exchange)
        first, *rest = exchange.lines()
        print(f"[{len(self.exchanges):02}] {first}", *rest, sep="\n", flush=True)

    def done(self) -> None:
        if self.steps:
            raise CheckFailed(f"the SDK never came to the step {self.steps[0][1]!r}")

    def check(self, holds: object, what: str) -> None:
        if not holds:
            raise CheckFailed(what)
        self.checks += 1
        print(f"     ok   {what}", flush=True)

    def last(self, found: Callable[[Exchange], bool]) -> Exchange:
        for exchange in reversed(self.exchanges):
            if found(exchange):
                return exchange
        raise CheckFailed("an exchange that should have happened was not seen")


class Wire(httpx2.AsyncBaseTransport):
    """The real transport, with a tap. It can also lose one answer after the server has given it."""

    def __init__(self, trace: Trace, who: str) -> None:
        self.trace, self.who, self.inner = trace, who, httpx2.AsyncHTTPTransport()
        self.lose: Callable[[Exchange], bool] | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        response = await self.inner.handle_async_request(request)
        answer = await response.aread()
        headers = {k.lower(): v for k, v in response.headers.items()}
        exchange = Exchange(self.who, request.method, str(request.url), {k.lower(): v for k, v in request.headers.items()},
                            body, response.status_code, headers, answer)
        if self.lose and self.lose(exchange):
            self.lose, exchange.lost = None, True
        self.trace.add(exchange)
        if exchange.lost:
            raise httpx2.ReadError("the connection broke before the answer arrived", request=request)
        kept = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in ("content-encoding", "content-length")]
        return httpx2.Response(response.status_code, headers=kept, content=answer, request=request)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Form(HTMLParser):
    """The first form of a page: where it goes and what it sends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.found = "", False
        self.fields: dict[str, str] = {}
        self.scopes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag == "form" and not self.found:
            self.found, self.action = True, a.get("action", "")
        elif tag == "input" and a.get("type") == "checkbox":
            self.scopes.append(a.get("value", "on"))
        elif tag == "input" and a.get("name"):
            self.fields[a["name"]] = a.get("value", "")


def allows(source: str, url: str) -> object:
    """Whether a source of a Content-Security-Policy covers the URL: `https:`, `http://host:*` or an origin."""
    if source.endswith(":"):
        return url.startswith(source)
    return re.match(re.escape(source.rstrip("/")).replace(r"\*", "[^/]*") + "(?=[/?#]|$)", url)


class Browser:
    """A person with a browser: signs in when asked, reads the consent page, ticks every box, allows."""

    def __init__(self, trace: Trace, username: str, password: str) -> None:
        self.client = httpx2.AsyncClient(transport=Wire(trace, "browser"))
        self.username, self.password = username, password

    async def visit(self, url: str, until: str) -> dict[str, str]:
        """Go to `url` and on, until the browser is sent to the address `until`; returns that visit's query."""
        method, allowed = "GET", None
        data: dict[str, Any] | None = None
        headers: dict[str, str] = {}
        for _ in range(12):
            response = await self.client.request(method, url, data=data, headers=headers)
            if response.is_redirect:
                url, method, data, headers = urljoin(url, response.headers["location"]), "GET", None, {}
                if allowed is not None and not any(allows(source, url) for source in allowed):
                    raise CheckFailed(f"a browser blocks this redirect: the page's form-action does not allow {without_secrets(url)}")
                if url.startswith(until + "?"):
                    return dict(parse_qsl(urlsplit(url).query))
                continue
            form = Form(response.text)
            if response.status_code != 200 or not form.found:
                raise CheckFailed(f"the browser got stuck at {without_secrets(url)}: {response.status_code} {response.text[:300]}")
            if "password" in form.fields:
                data = {**form.fields, "username": self.username, "password": self.password}
            else:
                data = {**form.fields, "scope": form.scopes, "decision": "approve"}
            # As browsers do: an Origin on every form, "null" if the page allows no referrer; form-action counts for redirects too.
            page, policy = urlsplit(url), response.headers.get("referrer-policy", "")
            origin = "null" if policy == "no-referrer" else f"{page.scheme}://{page.netloc}"
            headers = {"origin": origin, "sec-fetch-site": "same-origin"}
            rule = re.search(r"form-action ([^;]*)", response.headers.get("content-security-policy", ""))
            allowed = rule and [f"{page.scheme}://{page.netloc}" if s == "'self'" else s for s in rule[1].split()]
            url, method = urljoin(url, form.action), "POST"
        raise CheckFailed("the browser was sent in circles")


class DocumentServer:
    """Publishes this client's metadata document on loopback, as a real client does on its https site."""

    def __init__(self, trace: Trace) -> None:
        self.fetches = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.fetches += 1
                body = json.dumps(owner.document).encode()
                headers = {"content-type": "application/json", "cache-control": "max-age=300"}
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                trace.add(Exchange("server", "GET", owner.url, {}, b"", 200, headers, body))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.url = self.origin + "/client.json"
        self.document = {
            "client_id": self.url,
            "client_name": "Python demonstration client",
            "redirect_uris": ["http://127.0.0.1/callback"],  # no port: a desktop app takes any free one
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

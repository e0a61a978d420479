"""A person with a browser, as far as the suite needs one: signs in, decides, and follows the way back to the suite."""

import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin, urlsplit


class Form(HTMLParser):
    """The first form of a page: where it goes, and what it would send."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []
        self.inputs: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.action = has["action"]
        elif tag == "button" and "name" in has:
            self.buttons.append((has["name"], has["value"]))
        elif tag == "input" and has.get("type") == "hidden" or "checked" in has:
            self.fields.append((has["name"], has["value"]))
        elif tag == "input":
            self.inputs.add(has["name"])


def decide(url: str, username: str, password: str, decision: str) -> str:
    """Opens an authorization URL and goes on until the answer has reached the client; returns the client's page."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()))

    def send(at: str, form: list[tuple[str, str]] | None = None) -> tuple[str, str]:
        request = urllib.request.Request(at, urlencode(form).encode() if form else None)
        if form:  # what Chromium says when the page carries `Referrer-Policy: no-referrer`
            request.add_header("Origin", "null")
            request.add_header("Sec-Fetch-Site", "same-origin")
        with opener.open(request, timeout=30) as answer:  # follows redirects, and raises on 4xx and 5xx
            return answer.url, answer.read().decode()

    at, page = send(url)
    form = Form(page)
    if "password" not in form.inputs:
        raise RuntimeError(f"expected the sign-in page at {at}")
    at, page = send(urljoin(at, form.action), [*form.fields, ("username", username), ("password", password)])
    form = Form(page)
    if ("decision", decision) not in form.buttons:
        raise RuntimeError(f"expected the consent page at {at}")
    back, page = send(urljoin(at, form.action), [*form.fields, ("decision", decision)])
    if urlsplit(back).netloc == urlsplit(at).netloc:
        raise RuntimeError(f"expected to be sent back to the client, and stayed at {back}")
    return page

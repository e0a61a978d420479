"""A browser without script: cookies, the example's sign-in form, and the consent form."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from .case import Failed
from .wire import Answer, Pairs, edit, encode


@dataclass
class Form:
    action: str = ""
    method: str = "get"
    hidden: Pairs = field(default_factory=list)
    checkboxes: Pairs = field(default_factory=list)
    buttons: Pairs = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []

    def handle_starttag(self, tag, attrs):
        values = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get").lower()))
        if not self.forms or not values.get("name"):
            return
        form, pair = self.forms[-1], (values["name"], values.get("value", ""))
        kind = values.get("type", "text" if tag == "input" else "submit").lower()
        if tag == "button" or (tag == "input" and kind == "submit"):
            form.buttons.append(pair)
        elif tag == "input" and kind == "hidden":
            form.hidden.append(pair)
        elif tag == "input" and kind == "checkbox":
            form.checkboxes.append(pair)
        elif tag == "input":
            form.inputs.append(values["name"])

    handle_startendtag = handle_starttag


def forms(html: str) -> list[Form]:
    reader = _Forms()
    reader.feed(html)
    return reader.forms


@dataclass
class Consent:
    """The consent page that a browser was shown."""

    form: Form
    answer: Answer

    @property
    def ticket(self) -> str:
        return dict(self.form.hidden)["ticket"]

    def pairs(self, decision: str = "approve", scopes: list[str] | None = None) -> Pairs:
        ticked = [p for p in self.form.checkboxes if scopes is None or p[1] in scopes]
        return [*self.form.hidden, *ticked, ("decision", decision)]


def read_consent(answer: Answer) -> Consent:
    for form in forms(answer.text):
        if "ticket" in dict(form.hidden):
            return Consent(form, answer)
    raise Failed("the consent page (a form with a ticket)", str(answer))


class Browser:
    """One person's browser; sends the Origin and Sec-Fetch-Site headers that browsers send."""

    def __init__(self, s) -> None:
        self.s = s
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def clone(self) -> Browser:
        other = Browser(self.s)
        other.cookies = dict(self.cookies)
        return other

    async def send(self, method: str, url: str, *, headers: Pairs = (), body: str | bytes = b"", slow: bool = False) -> Answer:
        sent = list(headers)
        if self.cookies:
            sent.append(("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items())))
        answer = await self.s.wire.send(method, url, headers=sent, body=body, slow=slow)
        self._keep(answer)
        return answer

    async def get(self, url: str, **more) -> Answer:
        return await self.send("GET", url, **more)

    async def post(self, url: str, pairs: Pairs | str, *, origin: str | None = "", site: str | None = "same-origin", headers: Pairs = ()) -> Answer:
        sent = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
        if site is not None:
            sent.append(("Sec-Fetch-Site", site))
        if origin is not None:
            sent.append(("Origin", origin or self.s.base))
        return await self.send("POST", url, headers=sent, body=pairs if isinstance(pairs, str) else encode(pairs))

    def _keep(self, answer: Answer) -> None:
        for line in answer.all("set-cookie"):
            self.set_cookies.append(line)
            pair, *attributes = [part.strip() for part in line.split(";")]
            name, _, value = pair.partition("=")
            gone = any(a.lower() in ("max-age=0", "max-age=-1") or a.lower().startswith("expires=thu, 01 jan 1970") for a in attributes)
            if gone or value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    async def login(self, user: str, page: Answer | None = None) -> Answer:
        """Fills in the sign-in form of `page` (where the server sent the browser), or of nothing but its address."""
        fields, person = self.s.fixture["sign_in"], self.s.person(user)
        url, pairs = self.s.base + fields["path"], []
        if page is not None:
            form = next((f for f in forms(page.text) if fields["password_field"] in f.inputs), Form())
            url, pairs = urljoin(page.url, form.action), form.hidden
        answer = await self.post(url, [*pairs, (fields["username_field"], user), (fields["password_field"], person["password"])])
        if answer.status not in (200, 302, 303) or not self.cookies:
            raise Failed("setup: a session after sign-in", str(answer))
        return answer

    async def authorize(self, query: Pairs | str, **more) -> Answer:
        text = query if isinstance(query, str) else encode(query)
        return await self.get(f"{self.s.url('authorize')}?{text}", **more)

    async def follow(self, answer: Answer) -> Answer:
        """Follows one redirect, as long as it stays on the server."""
        target = urljoin(answer.url, answer.location or "")
        if urlsplit(target).netloc != urlsplit(self.s.base).netloc:
            raise Failed("a redirect within the server", str(answer))
        return await self.get(target)

    async def consent(self, query: Pairs | str) -> Consent:
        return read_consent(await self.authorize(query))

    async def decide(self, consent: Consent, decision: str = "approve", scopes: list[str] | None = None, *, drop=(), add: Pairs = (), change: dict | None = None, **more) -> Answer:
        pairs = edit(consent.pairs(decision, scopes), drop=drop, add=add, **(change or {}))
        return await self.post(urljoin(consent.answer.url, consent.form.action), pairs, **more)

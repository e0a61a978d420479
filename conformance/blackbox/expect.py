"""The outcome codes of the attack catalogue (`PAGE`, `REDIR(e)`, `TOK(e)`, …) as assertions over an answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .case import check
from .wire import Answer

MARKS = ("<script>alert", "evil.example/\"", "javascript:alert(1)\"")


def page(answer: Answer, *, statuses: tuple[int, ...] = (400,)) -> Answer:
    """PAGE: a 400 HTML page of the server's own, no Location, nothing of the input unescaped."""
    check(answer.location is None, "PAGE (no Location)", answer)
    check(answer.status in statuses, f"PAGE (status {' or '.join(map(str, statuses))})", answer)
    check(answer.media_type == "text/html", "PAGE (text/html)", answer)
    check('name="ticket"' not in answer.text, "PAGE (no consent form)", f"a consent form: {answer}")
    check(not any(mark in answer.text.lower() for mark in MARKS), "PAGE (input escaped)", answer.text[:300])
    return answer


def redirected(s, answer: Answer, error: str | tuple[str, ...], *, redirect: str, state: str | None = "s1") -> Answer:
    """REDIR(e): to the registered redirect with the error, the state as sent and iss, and no code."""
    errors = (error,) if isinstance(error, str) else error
    want = f"REDIR({'|'.join(errors)})"
    check(answer.status in (302, 303) and answer.location is not None, want, answer)
    check(_same_place(answer.location, redirect), f"{want} to {redirect}", answer)
    pairs = answer.location_pairs()
    names = [k for k, _ in pairs]
    values = dict(pairs)
    check("code" not in names, f"{want} without code", answer)
    check(names.count("error") == 1 and values["error"] in errors, want, answer)
    check([v for k, v in pairs if k == "state"] == ([] if state is None else [state]), f"{want} with state {state!r}", answer)
    check([v for k, v in pairs if k == "iss"] == [s.issuer], f"{want} with iss {s.issuer}", answer)
    return answer


def granted(s, answer: Answer, *, redirect: str, state: str | None = "s1") -> str:
    """A success redirect: exactly one code, the state as sent, exactly one iss; returns the code."""
    check(answer.status in (302, 303) and answer.location is not None, "a redirect with a code", answer)
    check(_same_place(answer.location, redirect), f"a redirect to {redirect}", answer)
    pairs = answer.location_pairs()
    check([k for k, _ in pairs].count("code") == 1, "exactly one code", answer)
    check("error" not in dict(pairs), "no error beside the code", answer)
    check([v for k, v in pairs if k == "state"] == ([] if state is None else [state]), f"state {state!r}", answer)
    check([v for k, v in pairs if k == "iss"] == [s.issuer], f"exactly one iss, {s.issuer}", answer)
    return dict(pairs)["code"]


def _same_place(location: str, redirect: str) -> bool:
    return re.split(r"[?#]", location)[0] == re.split(r"[?#]", redirect)[0]


def consent(answer: Answer) -> Answer:
    """The consent page: 200, HTML, with a ticket in a form."""
    check(answer.status == 200 and answer.media_type == "text/html" and 'name="ticket"' in answer.text, "the consent page", answer)
    return answer


def token_error(answer: Answer, error: str | tuple[str, ...]) -> Answer:
    """TOK(e): 400, JSON with that error, no-store."""
    errors = (error,) if isinstance(error, str) else error
    want = f"TOK({'|'.join(errors)})"
    check(answer.status == 400 and answer.error() in errors, want, answer)
    return _json_no_store(answer, want)


def token_401(answer: Answer, *, basic: bool = False) -> Answer:
    """TOK401: 401 invalid_client, with a Basic challenge if Basic was used."""
    check(answer.status == 401 and answer.error() == "invalid_client", "TOK401", answer)
    if basic:
        check((answer.header("www-authenticate") or "").lower().startswith("basic"), "TOK401 with WWW-Authenticate: Basic", answer)
    return _json_no_store(answer, "TOK401")


def refused(answer: Answer, *errors: str) -> Answer:
    """TOK401 or TOK(one of errors)."""
    if answer.status == 401:
        return token_401(answer)
    return token_error(answer, errors or ("invalid_grant",))


def _json_no_store(answer: Answer, want: str) -> Answer:
    check(answer.media_type == "application/json", f"{want} as application/json", answer)
    check("no-store" in (answer.header("cache-control") or ""), f"{want} with Cache-Control: no-store", answer.headers)
    check("access_token" not in answer.text, f"{want} without a token", answer)
    return answer


def token_ok(answer: Answer) -> dict:
    """OK of the token endpoint: 200, JSON, no-store, Bearer, a positive expires_in, no null member."""
    check(answer.status == 200, "OK", answer)
    check(answer.media_type == "application/json", "OK as application/json", answer)
    check("no-store" in (answer.header("cache-control") or ""), "OK with Cache-Control: no-store", answer.headers)
    value = answer.json()
    check(isinstance(value.get("access_token"), str) and value["access_token"], "OK with access_token", answer)
    check(str(value.get("token_type")).lower() == "bearer", "token_type Bearer", answer)
    expires = value.get("expires_in")
    check(isinstance(expires, int) and not isinstance(expires, bool) and expires > 0, "a positive number in expires_in", answer)
    check(None not in value.values(), "no null member", answer)
    return value


def challenge(answer: Answer) -> dict[str, str]:
    """The parameters of the one Bearer challenge."""
    values = answer.all("www-authenticate")
    check(len(values) == 1, "exactly one WWW-Authenticate header", values or answer)
    check(values[0].split(" ")[0] == "Bearer", "a Bearer challenge", values[0])
    pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', values[0])
    rest = re.sub(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', "", values[0][len("Bearer"):])
    check(not rest.strip(", ") and len({k for k, _ in pairs}) == len(pairs), "quoted parameters, each once", values[0])
    return dict(pairs)


def resource_401(s, answer: Answer, error: str | None = None, *, resource: str = "mcp") -> Answer:
    """RS401 / RS401(e): one Bearer challenge with resource_metadata, and error only if a token was sent."""
    check(answer.status == 401, f"RS401({error or ''})", answer)
    parameters = challenge(answer)
    check(parameters.get("error") == error, f"RS401 with error {error!r}", answer)
    _metadata_url(s, parameters, resource, answer)
    return answer


def resource_400(answer: Answer) -> Answer:
    check(answer.status == 400, "RS 400 invalid_request", answer)
    check(challenge(answer).get("error") == "invalid_request", "RS 400 invalid_request", answer)
    return answer


def resource_403(s, answer: Answer, scope: str, *, resource: str = "mcp") -> Answer:
    """RS403: insufficient_scope with the scopes needed."""
    check(answer.status == 403, "RS403", answer)
    parameters = challenge(answer)
    check(parameters.get("error") == "insufficient_scope", "RS403 with error insufficient_scope", answer)
    check(scope in (parameters.get("scope") or "").split(" "), f"RS403 naming the scope {scope}", answer)
    _metadata_url(s, parameters, resource, answer)
    return answer


def _metadata_url(s, parameters: dict[str, str], resource: str, answer: Answer) -> None:
    name = parameters.get("resource_metadata", "")
    parts = urlsplit(s.resource(resource))
    want = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
    check(name == want, f"resource_metadata {want}", answer)


async def revoked(s, tokens, *, refresh: str | None = None) -> None:
    """REVOKED: the refresh token is refused, and so is the access token wherever the server is asked."""
    answer = await s.refresh(tokens, refresh_token=refresh or tokens.refresh_token)
    check(answer.status == 400 and answer.error() == "invalid_grant", "REVOKED: refresh refused", answer)
    await access_dead(s, tokens)


async def access_dead(s, tokens) -> None:
    if not s.opaque:
        return
    answer = await s.call(tokens.access_token, resource=tokens.resource)
    resource_401(s, answer, "invalid_token", resource=tokens.resource)


async def alive(s, tokens) -> None:
    """The access token works at its resource and the refresh token still rotates."""
    answer = await s.call(tokens.access_token, resource=tokens.resource)
    check(answer.status == 200, "the access token still works", answer)
    if tokens.refresh_token:
        token_ok(await s.refresh(tokens))

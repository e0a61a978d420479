"""Puts the core's questions to the host's callables, and reads their answers."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._native import ConsentQuestion, Decision, RefreshQuestion, SignInQuestion, TokenQuestion
from .errors import ConfigurationError, MisuseError, Undecided
from .types import Approve, Deny, SignIn, User

if TYPE_CHECKING:
    from .lockstep import Lockstep

__all__ = ["Callables", "NobodySignedIn", "RequestHost"]


class NobodySignedIn(Undecided):
    """`sign_in` returned None, and there is no login page to send the browser to."""


class Callables:
    """The host's callables, with how to call each of them worked out once."""

    __slots__ = ("_sign_in_is_async", "_sign_in_takes_question", "consent_page", "login_url", "may_refresh", "next_parameter", "sign_in", "verify_token")

    def __init__(
        self,
        sign_in: Callable[..., Any] | None,
        login_url: str | None,
        next_parameter: str,
        consent_page: Callable[..., Any] | None,
        may_refresh: Callable[..., Any] | None,
        verify_token: Callable[..., Any] | None,
    ) -> None:
        for name, function in (
            ("sign_in", sign_in), ("consent_page", consent_page), ("may_refresh", may_refresh), ("verify_token", verify_token),
        ):  # fmt: skip
            check_callable(name, function, *(("request", "question") if name in ("sign_in", "consent_page") else ("argument",)))
        if login_url is not None and not (isinstance(login_url, str) and login_url.startswith(("/", "https://", "http://"))):
            raise ConfigurationError("login_url", f'a path such as "/login", or a URL, not {login_url!r}')
        if not isinstance(next_parameter, str) or not next_parameter:
            raise ConfigurationError("next_parameter", f'the name of a query parameter, such as "next", not {next_parameter!r}')
        self.sign_in = sign_in
        self.login_url = login_url
        self.next_parameter = next_parameter
        self.consent_page = consent_page
        self.may_refresh = may_refresh
        self.verify_token = verify_token
        self._sign_in_is_async = sign_in is not None and is_async(sign_in)
        self._sign_in_takes_question = sign_in is not None and _positional_parameters(sign_in) >= 2

    async def who(self, request: Any, question: SignInQuestion) -> Decision:
        assert self.sign_in is not None, "the core asks who is signed in only where the host said that it knows"
        arguments = (request, question) if self._sign_in_takes_question else (request,)
        answer = await (self.sign_in(*arguments) if self._sign_in_is_async else call(self.sign_in, *arguments))
        if answer is None and self.login_url is None:
            raise NobodySignedIn
        match answer:
            case None:
                return Decision.sign_in(self.with_way_back(self.login_url or "", question.return_to))
            case User():
                return Decision.signed_in(answer)
            case SignIn(location):
                return Decision.sign_in(self.with_way_back(location, question.return_to))
            case Approve(user, scopes):
                return Decision.approve(user, None if scopes is None else list(scopes))
            case Deny():
                return Decision.deny()
        raise MisuseError("sign_in", f"it must return a User, a SignIn, an Approve, a Deny or None, not {type(answer).__name__}")

    def with_way_back(self, location: str, return_to: str) -> str:
        """Add ``next=<the way back>``, a path at the issuer's origin, unless the location already names it."""
        name = self.next_parameter
        address, hash_sign, fragment = location.partition("#")
        _, question_mark, query = address.partition("?")
        if any(pair.partition("=")[0] == name for pair in query.split("&")):
            return location
        joint = ("&" if query else "") if question_mark else "?"
        return f"{address}{joint}{name}={quote(return_to, safe='')}{hash_sign}{fragment}"

    async def page(self, request: Any, question: ConsentQuestion) -> Decision:
        assert self.consent_page is not None
        html = await call(self.consent_page, request, question)
        if html is None:
            return Decision.built_in()
        if not isinstance(html, str):
            raise MisuseError("consent_page", f"it must return HTML as a text, or None for the built-in page, not {type(html).__name__}")
        return Decision.page(html)

    async def refreshable(self, question: RefreshQuestion) -> Decision:
        assert self.may_refresh is not None
        return Decision.allow() if await call(self.may_refresh, question) else Decision.refuse()

    async def owner(self, question: TokenQuestion) -> Decision:
        assert self.verify_token is not None
        answer = await call(self.verify_token, question.token)
        if answer is None:
            return Decision.refuse()
        if not hasattr(answer, "subject") or isinstance(answer, User):
            raise MisuseError("verify_token", f"it must return an ExternalToken(subject, scopes, ...) or None, not {type(answer).__name__}")
        user = User(answer.subject, getattr(answer, "name", "") or "", dict(getattr(answer, "claims", None) or {}))
        return Decision.credential(user, list(answer.scopes), getattr(answer, "expires_at", None))


def check_callable(name: str, function: Callable[..., Any] | None, *arguments: str) -> None:
    """Refuse what cannot be called with these arguments (`sign_in` may leave the last one out), now rather than at a request."""
    if function is None:
        return
    if not callable(function):
        raise ConfigurationError(name, f"a callable, not {function!r}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    for parameter in signature.parameters.values():
        if _is_dependency(parameter.default) or "Depends(" in str(parameter.annotation):
            raise ConfigurationError(name, f"its parameter `{parameter.name}` is a dependency of FastAPI, which nothing resolves here; let the function get it from the request")
    for given in [arguments, arguments[:-1]] if name == "sign_in" else [arguments]:
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return
    wanted = "(request) or (request, question)" if name == "sign_in" else f"({', '.join(arguments)})"
    raise ConfigurationError(name, f"it is called as {name}{wanted}, and {getattr(function, '__name__', function)!s}{signature} cannot be")


def _is_dependency(value: object) -> bool:
    return type(value).__module__ == "fastapi.params"


def _positional_parameters(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # A default marks an option of the host's own (such as a database session), not a place for the question.
    return sum(1 for parameter in parameters if parameter.kind in kinds and parameter.default is inspect.Parameter.empty)


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling the function gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))


async def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the host's function. A plain one runs in a worker thread, so that it may block."""
    if is_async(function):
        return await function(*arguments)
    from asyncio import get_running_loop

    context = contextvars.copy_context()
    work = functools.partial(context.run, function, *arguments)
    answer = await get_running_loop().run_in_executor(None, work)
    return await answer if isinstance(answer, Awaitable) else answer


@functools.cache
def _starlette_request() -> Any:
    try:
        from starlette.requests import Request
    except ModuleNotFoundError:
        return None
    return Request


class _ReadBody:
    """A body that was read, to be read once more."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def receive(self) -> dict[str, Any]:
        body, self._body = self._body, None
        return {"type": "http.disconnect"} if body is None else {"type": "http.request", "body": body, "more_body": False}


def request_of(scope: Any, body: bytes) -> Any:
    """Return the framework's request for the host's callables, or the scope where there is no framework. Its body can still be read."""
    request = _starlette_request()
    return scope if request is None else request(scope, _ReadBody(body).receive)


class RequestHost:
    """What the driver needs to move one exchange: the store, the fetcher, the budget and the host's decisions."""

    __slots__ = ("_auth", "_body", "_scope", "budget", "in_line", "nobody_signed_in", "store")

    def __init__(self, auth: Lockstep, scope: Any = None, body: bytes = b"") -> None:
        self._auth = auth
        self._scope = scope
        self._body = body
        self.store = auth.store
        self.budget = auth.budget
        self.in_line = auth.in_line
        self.nobody_signed_in = False

    @property
    def fetcher(self) -> Any:
        """What fetches from other servers; few requests need it."""
        return self._auth.fetcher

    async def decide(self, question: Any) -> Decision:
        """Answer one question. What is raised here is the host's failure: the driver logs it, and the request is answered 503."""
        callables = self._auth.callables
        if isinstance(question, TokenQuestion):
            return await callables.owner(question)
        if isinstance(question, RefreshQuestion):
            return await callables.refreshable(question)
        request = None if self._scope is None else request_of(self._scope, self._body)
        if not isinstance(question, SignInQuestion):
            return await callables.page(request, question)
        try:
            return await callables.who(request, question)
        except NobodySignedIn:
            self.nobody_signed_in = True
            raise

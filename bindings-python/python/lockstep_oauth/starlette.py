"""Starlette: one line to install, and a dependency that yields who is calling."""

# No `from __future__ import annotations`: FastAPI reads the annotations of `Required.__call__`.
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from . import context
from ._native import Allowed
from .asgi import Endpoints, send_object
from .context import Call
from .decisions import call
from .environment import now, peer_of, seed
from .errors import ConfigurationError, InsufficientScope, MisuseError
from .types import Identity, User

if TYPE_CHECKING:
    from .lockstep import Lockstep

__all__ = ["Challenged", "Required", "install"]

logger = logging.getLogger("lockstep_oauth")

REQUIRED = "lockstep.required"


class Challenged(HTTPException):
    """A request without a fitting token. It is answered with the core's 401 or 403, challenge and all."""

    def __init__(self, response: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        super().__init__(response.status, detail=response.body.decode("utf-8", "replace") or None, headers=headers)
        self.response = response


class Required:
    """A dependency that yields the Identity of a request whose token has all of the scopes."""

    def __init__(self, auth: "Lockstep", scopes: Sequence[str], resource: str, ways: Sequence[tuple[str, Callable[..., Any]]] = ()) -> None:
        self._auth = auth
        self._resource = resource
        self._scopes = list(scopes)
        self._ways = tuple(ways)

    async def __call__(self, request: Request) -> Identity:
        """Return who is calling, or raise a challenge."""
        scope = request.scope
        identity = await self._other_way(request) if self._ways else None
        if identity is None:
            auth = self._auth
            exchange = auth.native.check(
                scope["headers"], scope.get("query_string", b""), self._resource, self._scopes, peer_of(scope), now(), seed()
            )
            checked = await auth.finish_check(exchange)
            if type(checked) is not Allowed:
                raise Challenged(checked.response)
            identity = checked.identity
        scope["lockstep"] = identity
        scope[REQUIRED] = self
        context.call.set(Call(identity))
        return identity

    def challenge(self, missing: Sequence[str]) -> Any:
        """Return the answer to a scope that a handler found missing."""
        wanted = list(dict.fromkeys((*self._scopes, *missing)))
        return self._auth.native.challenge(self._resource, wanted)

    async def _other_way(self, request: Request) -> Identity | None:
        if any(name == b"authorization" for name, _ in request.scope["headers"]):
            return None  # a token that does not fit is refused: nothing else may make up for it
        for kind, way in self._ways:
            answer = await call(way, request)
            if isinstance(answer, Identity):
                if answer.resource and answer.resource != self._resource:
                    continue  # it is for somewhere else, so nobody is known here
                if not self._auth.covers(answer, self._scopes):
                    raise Challenged(self.challenge(()))
                return answer
            if isinstance(answer, User):
                return Identity(
                    subject=answer.subject, client_id="", scopes=self._scopes, resource=self._resource,
                    claims=dict(answer.claims), kind="external",
                )  # fmt: skip
            if answer is not None:
                raise MisuseError(f"or_{kind}", f"it must return a User, an Identity or None, not {type(answer).__name__}")
        return None


def install(auth: "Lockstep", app: Any) -> None:
    """Add the endpoints to an app, inside of its own middleware: sessions are there when `sign_in` is asked."""
    if not isinstance(app, Starlette):
        raise ConfigurationError("install", f"a FastAPI or Starlette app, not {type(app).__name__}; wrap any other ASGI app: auth.asgi(app)")
    if any(one.kwargs.get("auth") is auth for one in app.user_middleware):
        raise ConfigurationError("install", "it is installed in this app already; install once")
    if app.middleware_stack is not None:
        raise ConfigurationError("install", "the app has already started; install right after making it")
    root = getattr(app, "root_path", "").rstrip("/")
    if root and not any(path.startswith(root + "/") for path in auth.native.paths() if not path.startswith("/.well-known/")):
        raise ConfigurationError("issuer", f"the app is below {root} (its root_path), and no endpoint of {auth.issuer} is there; let issuer end in {root}")
    app.user_middleware.append(Middleware(_Inner, auth=auth))
    app.add_exception_handler(Challenged, _answer_challenged)  # type: ignore[arg-type]
    app.add_exception_handler(InsufficientScope, _answer_insufficient_scope)  # type: ignore[arg-type]
    build = app.build_middleware_stack

    def build_and_check() -> Any:
        _check_routes(auth, app)
        return _Preflights(auth, build())

    app.build_middleware_stack = build_and_check  # type: ignore[method-assign]


class _Inner(Endpoints):
    """The endpoints, as the innermost middleware."""

    __slots__ = ()

    def __init__(self, app: Any, auth: "Lockstep") -> None:
        super().__init__(auth, app)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        token = context.call.set(None)
        try:
            await super().__call__(scope, receive, send)
        finally:
            context.call.reset(token)


class _Preflights:
    """Answers CORS preflights of the endpoints, outside of the app's own CORS policy: they are for any client."""

    __slots__ = ("_app", "_endpoints")

    def __init__(self, auth: "Lockstep", app: Any) -> None:
        self._app = app
        self._endpoints = Endpoints(auth, app)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await self._endpoints(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _check_routes(auth: "Lockstep", app: Starlette) -> None:
    """Refuse to start with a route of the app where an endpoint is: it would never be reached."""
    ours = set(auth.native.paths())
    for route in app.routes:
        path = getattr(route, "path", None)
        if path in ours:
            if path.startswith("/.well-known/"):
                logger.info("the route %s of the app is answered by lockstep_oauth", path)
                continue
            raise ConfigurationError(
                "issuer", f"your app has a route {path} of its own, where an endpoint is; give the issuer a path: {auth.issuer.rstrip('/')}/oauth"
            )


async def _answer_challenged(request: Request, error: Challenged) -> Response:
    return _Raw(error.response)


async def _answer_insufficient_scope(request: Request, error: InsufficientScope) -> Response:
    required = request.scope.get(REQUIRED)
    if required is None:
        raise error
    return _Raw(required.challenge(error.scopes))


class _Raw(Response):
    """A response of the core, sent as it is."""

    def __init__(self, response: Any) -> None:
        super().__init__(status_code=response.status)
        self._response = response

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send_object(send, self._response, head=scope["method"] == "HEAD")

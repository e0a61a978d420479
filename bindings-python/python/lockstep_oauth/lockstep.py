"""The one object that a host makes: configuration by keywords, endpoints, guards, and what account pages need."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from . import configuration
from ._native import Allowed, Budget, Server
from .audit import AuditTrail
from .configuration import Client, ClientDocuments, Document, Registration, Resource, Scope
from .decisions import Callables, RequestHost, check_callable
from .drive import drive, drive_async, in_line
from .environment import now, peer_of, seed
from .errors import ConfigurationError, MisuseError, StoreError
from .keys import load_keys, new_keys
from .stores import open_store

if TYPE_CHECKING:
    from ._native import Answer, Exchange
    from .asgi import App, Endpoints, Protected
    from .fastmcp import LockstepProvider
    from .mcp import McpSeat
    from .starlette import Required
    from .stores import AnyStore
    from .types import AuditEvent, GrantSummary, Identity

__all__ = ["IssuedToken", "Lockstep"]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A personal token, shown once."""

    token: str = field(repr=False)
    grant_id: str
    expires_at: int
    """Seconds since 1970."""


class Lockstep:
    """OAuth 2.1 for an MCP server or an API: the authorization server, and the guard of what it protects.

    Every keyword is checked here and now; what is wrong raises ConfigurationError with the field and the fix.
    """

    def __init__(
        self,
        *,
        issuer: str,
        resource: str | Resource | None = None,
        resources: Sequence[str | Resource] | None = None,
        scopes: Mapping[str, str | Scope] | Sequence[str | Scope] | None = None,
        sign_in: Callable[..., Any] | Literal["personal_token"] | None = None,
        login_url: str | None = None,
        next_parameter: str = "next",
        keys: str | os.PathLike[str] | None = None,
        store: Any = "sqlite:///oauth.db",
        clients: Sequence[Client | Mapping[str, Any]] = (),
        registration: Literal["off", "open", "guarded"] | Registration | Mapping[str, Any] = "off",
        client_documents: bool | ClientDocuments | Mapping[str, Any] = True,
        consent_page: Callable[..., Any] | None = None,
        may_refresh: Callable[..., Any] | None = None,
        verify_token: Callable[..., Any] | None = None,
        documents: Mapping[str, Any] | Sequence[Document] = (),
        on_event: Callable[[AuditEvent], object] | None = None,
        access_token_format: Literal["opaque", "jwt"] | None = None,
        code_seconds: int | timedelta | None = None,
        ticket_seconds: int | timedelta | None = None,
        access_seconds: int | timedelta | None = None,
        idle_seconds: int | timedelta | None = None,
        absolute_seconds: int | timedelta | None = None,
        code_race_seconds: int | timedelta | None = None,
        retry_window_seconds: int | timedelta | None = None,
        overlap_budget: int | None = None,
        refresh: Literal["grant_types", "offline_access", "never"] | None = None,
        unknown_scopes: Literal["drop", "refuse"] | None = None,
        private_schemes: Sequence[str] | None = None,
        token_prefixes: Mapping[str, str] | None = None,
        several_resources: bool | None = None,
        service_documentation: str | None = None,
        fetcher: Any = None,
        environment: Mapping[str, str] | None = None,
        **unknown: Any,
    ) -> None:
        """Check the configuration, load the keys and open the store.

        Args:
            issuer: The https address of the authorization server; with a path when the app's own routes are in the way.
            resource: What is protected: the URL that clients connect to. `resources` for several.
            scopes: What an app may ask for: ``{"notes:read": "Read your notes"}``, or Scope objects.
            sign_in: ``sign_in(request)`` or ``sign_in(request, question)``, sync or async: a User, SignIn("/login"), Approve,
                Deny, or None. Or "personal_token": people sign in by pasting a personal token.
            login_url: Where to send the browser when `sign_in` returns None. The way back is added as `next_parameter`.
            keys: The key ring's text, or a Path of a file with it; None reads LOCKSTEP_KEYS or LOCKSTEP_KEYS_FILE.
            store: "sqlite:///oauth.db", "memory:", or a store object.
            clients: Clients that you register by hand.
            registration: Who may register a client: "off", "open", "guarded" or a Registration.
            client_documents: Whether client id metadata documents are fetched, or a ClientDocuments.
            consent_page: ``consent_page(request, question)``: HTML of your own, or None for the built-in page.
            may_refresh: ``may_refresh(question)``: whether ``question.subject`` may still refresh.
            verify_token: ``verify_token(token)``: an ExternalToken for a token that you issue elsewhere, or None.
            documents: Discovery documents of your own: ``{"/.well-known/x": {...}}`` or Document objects.
            on_event: Called with each audit event.
            access_token_format: "opaque" (default) or "jwt" (RFC 9068) for resource servers that share no storage.
            code_seconds: Life of an authorization code. Default 60.
            ticket_seconds: How long a consent page stays usable. Default 600.
            access_seconds: Life of an access token. Default 3600; 300 for JWTs.
            idle_seconds: Life of a refresh token that nobody uses. Default 30 days.
            absolute_seconds: Life of a grant, however often it is refreshed. Default 180 days.
            code_race_seconds: How soon after its redemption a repeated code is denied without ending the grant. Default 5.
            retry_window_seconds: How long a refresh may be repeated and gets the same answer. Default 30, at most 60; 0 = never.
            overlap_budget: How many generations in a row may be repeated before the grant ends. Default: any number.
            refresh: When there are refresh tokens: "grant_types" (default), "offline_access" or "never".
            unknown_scopes: Whether scopes that are not configured are dropped ("drop", default) or refused ("refuse").
            private_schemes: URI schemes without a dot that redirects may use, such as "cursor". Default: those of known apps.
            token_prefixes: Prefixes for people and secret scanners, by kind: code, access, refresh, personal.
            several_resources: Whether one grant may cover several resources. Default False.
            service_documentation: An https URL of a page for developers.
            fetcher: Who fetches documents and keys of clients; None: the built-in, which checks every address.
            environment: Where keys are looked up; None: the process's environment.
            unknown: Nothing: an unknown keyword is refused, with the one that was probably meant.
        """
        for name in unknown:
            configuration.unknown_keyword(name)
        config = configuration.core_configuration(
            issuer=issuer, resource=resource, resources=resources, scopes=scopes, clients=clients,
            registration=registration, client_documents=client_documents, documents=documents,
            options={
                "access_token_format": access_token_format, "code_seconds": code_seconds, "ticket_seconds": ticket_seconds,
                "access_seconds": access_seconds, "idle_seconds": idle_seconds, "absolute_seconds": absolute_seconds,
                "code_race_seconds": code_race_seconds, "retry_window_seconds": retry_window_seconds,
                "overlap_budget": overlap_budget, "refresh": refresh, "unknown_scopes": unknown_scopes,
                "private_schemes": private_schemes, "token_prefixes": token_prefixes,
                "several_resources": several_resources, "service_documentation": service_documentation,
            },
        )  # fmt: skip
        if sign_in is None:
            raise ConfigurationError(
                "sign_in", 'missing; give a function of the request that returns User("id"), SignIn("/login") or None, or "personal_token"'
            )
        if isinstance(sign_in, str):
            if sign_in != "personal_token":
                raise ConfigurationError("sign_in", f'a function, or "personal_token", not {sign_in!r}; the address of your login page is login_url=...')
            config["sign_in"] = sign_in
        if fetcher is not None and not callable(getattr(fetcher, "fetch_async", None)):
            raise ConfigurationError("fetcher", f"an object with fetch and fetch_async (see lockstep_oauth.fetch), not {fetcher!r}")
        config["custom_consent"] = consent_page is not None
        config["ask_refresh"] = may_refresh is not None
        config["verify_tokens"] = verify_token is not None

        self.issuer = issuer
        self.resources: tuple[str, ...] = tuple(entry["resource"] for entry in config["resources"])
        self.scopes: dict[str, str] = {entry["name"]: entry.get("description", "") for entry in config["scopes"]}
        self._implied = _closure({entry["name"]: entry.get("implies", ()) for entry in config["scopes"]})
        self.callables = Callables(
            None if isinstance(sign_in, str) else sign_in, login_url, next_parameter, consent_page, may_refresh, verify_token
        )
        self.audit = AuditTrail(on_event)
        self.tool_scopes: dict[str, tuple[str, ...]] = {}
        self.budget = Budget()
        self.store: AnyStore = open_store(store)
        text, one = json.dumps(config), resources is None
        try:
            ring = load_keys(keys, os.environ if environment is None else environment, issuer, beside=getattr(self.store, "path", None))
        except ConfigurationError:
            _server(text, new_keys(), one)  # a wrong issuer is said first: it may be why keys are wanted at all
            raise
        self.native = _server(text, ring, one)
        self.in_line = in_line(self.store)
        self._fetcher = fetcher

    @cached_property
    def fetcher(self) -> Any:
        """What fetches documents and keys of clients. Made at the first use: its HTTP client is not small."""
        if self._fetcher is not None:
            return self._fetcher
        from .fetch import SafeFetcher

        return SafeFetcher()

    # --- Endpoints and guards ----------------------------------------------------------------------------------

    def install(self, app: Any) -> None:
        """Add all endpoints and well-known documents to a FastAPI or Starlette app, and challenges for what handlers raise."""
        from .starlette import install

        install(self, app)

    def asgi(self, app: App | None = None) -> Endpoints:
        """Return all endpoints as an ASGI app. Requests for other paths go on to `app`, or are answered 404."""
        from .asgi import Endpoints

        return Endpoints(self, app)

    def protect(
        self, app: App, scopes: Sequence[str] = (), *, resource: str | None = None, origins: Sequence[str] | None = ("*",)
    ) -> Protected:
        """Wrap an ASGI app so that only bearer tokens for `resource` with all of `scopes` get through.

        Browsers on the `origins` may call it (CORS, never with cookies); None leaves CORS to the app.
        """
        from .asgi import Protected

        if isinstance(origins, str):
            raise ConfigurationError("protect(origins=...)", f"a list of origins or None, not a text; write [{origins!r}]")
        return Protected(self, app, self.resource_named(resource, "protect"), self.known_scopes(scopes, "protect"), origins)

    def require(
        self,
        *scopes: str,
        resource: str | None = None,
        or_api_key: Callable[..., Any] | None = None,
        or_session: Callable[..., Any] | None = None,
    ) -> Required:
        """Return a dependency for FastAPI (``Depends(auth.require("notes:read"))``) and Starlette that yields the Identity.

        `or_api_key` and `or_session` are further ways in, asked in this order and only when the request has no bearer token:
        functions of the request that return a User, an Identity or None. A User may do what the scopes say; an Identity
        needs them itself, and its resource, where it names one, must be this one. A session is sent by the browser on its own, so
        guard what changes something against cross-site requests, as in any other handler of yours.
        """
        name = self.resource_named(resource, "require")
        known = self.known_scopes(scopes, "require")
        check_callable("or_api_key", or_api_key, "request")
        check_callable("or_session", or_session, "request")
        ways = [(kind, way) for kind, way in (("api_key", or_api_key), ("session", or_session)) if way is not None]
        try:
            from .fastapi import Required
        except ModuleNotFoundError as missing:
            if missing.name != "fastapi":
                raise
            from .starlette import Required  # type: ignore[assignment]
        return Required(self, known, name, ways)

    async def authenticate(self, request: Any, *scopes: str, resource: str | None = None) -> Identity | None:
        """Return who makes a request (a framework's, or an ASGI scope), or None when its token does not fit."""
        scope = request if isinstance(request, Mapping) else request.scope
        checked = await self.check(scope, self.resource_named(resource, "authenticate"), self.known_scopes(scopes, "authenticate"))
        return getattr(checked, "identity", None)

    async def check(self, scope: Mapping[str, Any], resource: str, scopes: Sequence[str]) -> Allowed | Answer:
        """Check the bearer token of an ASGI scope: Allowed, or the Answer to send."""
        headers = scope["headers"]
        exchange = self.native.check(
            headers, scope.get("query_string", b""), resource, scopes, peer_of(scope), now(), seed()
        )
        return await self.finish_check(exchange)

    async def finish_check(self, exchange: Exchange) -> Allowed | Answer:
        """Move a check to its end."""
        outcome: Any = await drive_async(exchange, RequestHost(self))
        if type(outcome) is not Allowed:
            self.audit.tell(outcome)
        return outcome  # type: ignore[no-any-return]

    async def check_token(self, token: str, resource: str, scopes: Sequence[str] = ()) -> Identity | None:
        """Return whose token this is, or None when it does not fit."""
        try:
            credential = b"Bearer " + token.encode("ascii")
        except UnicodeEncodeError:
            return None
        exchange = self.native.check([(b"authorization", credential)], b"", resource, list(scopes), "", now(), seed())
        checked = await self.finish_check(exchange)
        return getattr(checked, "identity", None)

    # --- Seats in other frameworks -----------------------------------------------------------------------------

    @cached_property
    def mcp(self) -> McpSeat:
        """The seat in the official MCP SDK: `token_verifier()`, `auth_settings()`, and scopes by tool."""
        from .mcp import McpSeat

        return McpSeat(self)

    def fastmcp(self, *, resource: str | None = None, scopes: Sequence[str] = ()) -> LockstepProvider:
        """Return the seat in FastMCP: ``FastMCP("notes", auth=auth.fastmcp())``."""
        from .fastmcp import provider

        return provider(self, self.resource_named(resource, "fastmcp"), self.known_scopes(scopes, "fastmcp"))

    # --- Account pages -----------------------------------------------------------------------------------------

    async def connected_apps(self, subject: str) -> list[GrantSummary]:
        """List the apps that a user has connected, newest first."""
        return [grant for grant in await self._grants(subject) if not grant.personal]

    async def revoke_app(self, subject: str, grant_id: str) -> bool:
        """Disconnect an app. False when the user has no such grant."""
        return _acknowledged(await self._operate(self.native.revoke_grant(subject, grant_id, now(), seed())))

    async def sign_out_everywhere(self, subject: str) -> None:
        """End all of a user's grants and personal tokens at once."""
        _acknowledged(await self._operate(self.native.sign_out_everywhere(subject, now(), seed())))

    async def issue_personal_token(
        self,
        subject: str,
        name: str,
        scopes: Sequence[str],
        expires_in: int | timedelta,
        *,
        resource: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> IssuedToken:
        """Issue a token that a person copies into a script. It is shown once: nothing keeps it."""
        operation = self._personal_operation(subject, name, scopes, expires_in, resource, claims)
        return _issued(await self._operate(operation))

    async def list_personal_tokens(self, subject: str) -> list[GrantSummary]:
        """List a user's personal tokens, newest first."""
        return [grant for grant in await self._grants(subject) if grant.personal]

    async def revoke_personal_token(self, subject: str, grant_id: str) -> bool:
        """End a personal token. False when the user has no such token."""
        return await self.revoke_app(subject, grant_id)

    async def close(self) -> None:
        """Let go of the store's files and connections, when the app shuts down."""
        await _finished(self.store.close())

    @cached_property
    def sync(self) -> SyncView:
        """The same operations without async, for stores that do not wait."""
        return SyncView(self)

    # --- Inner parts -------------------------------------------------------------------------------------------

    def resource_named(self, resource: str | None, where: str) -> str:
        """Return a configured resource: the one that is named, or the first."""
        if resource is None:
            return self.resources[0]
        if resource not in self.resources:
            raise ConfigurationError(f"{where}(resource=...)", f"{resource!r} is not configured; known are {', '.join(self.resources)}")
        return resource

    def known_scopes(self, scopes: Sequence[str], where: str) -> list[str]:
        """Return the scopes as a list. One that no token can hold would lock everyone out, so it is refused."""
        if isinstance(scopes, str):
            raise ConfigurationError(f"{where}(scopes=...)", f"a list of scopes, not a text; write [{scopes!r}]")
        for scope in scopes:
            if isinstance(scope, (list, tuple, set)) and where == "require":
                raise ConfigurationError("require", f"the scopes one by one, not a list: require({', '.join(map(repr, scope))})")
            if not isinstance(scope, str) or scope not in self.scopes:
                raise ConfigurationError(f"{where}(scopes=...)", f"{scope!r} is not configured; known are {', '.join(self.scopes)}")
        return list(scopes)

    def covers(self, identity: Identity, scopes: Sequence[str]) -> bool:
        """Return whether an identity's scopes cover all of these, what they imply included."""
        granted = set(identity.scopes)
        for name in identity.scopes:
            granted |= self._implied.get(name, frozenset())
        return granted.issuperset(scopes)

    def _personal_operation(
        self, subject: str, name: str, scopes: Sequence[str], expires_in: int | timedelta, resource: str | None, claims: Mapping[str, Any] | None
    ) -> Exchange:  # fmt: skip
        seconds = int(expires_in.total_seconds()) if isinstance(expires_in, timedelta) else expires_in
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            raise MisuseError("expires_in", f"a whole number of seconds or a timedelta, not {expires_in!r}")
        _must_be_text(subject)
        target = self.resource_named(resource, "issue_personal_token")
        known = self.known_scopes(scopes, "issue_personal_token")
        return self.native.issue_personal(subject, name, dict(claims or {}), target, known, seconds, now(), seed())

    async def _operate(self, exchange: Exchange) -> Any:
        outcome: Any = await drive_async(exchange, RequestHost(self))
        self.audit.tell(outcome)
        return outcome

    async def _grants(self, subject: str) -> list[GrantSummary]:
        _must_be_text(subject)
        store = self.store
        key = self.native.subject_counter_key(subject)
        (counter,), records = await _finished(store.load([key])), await _finished(store.list(subject))
        return self.native.describe(records, self.native.subject_counter(counter), now())


def _server(config: str, ring: str, single_resource: bool) -> Server:
    try:
        return Server(config, ring)
    except (ConfigurationError, MisuseError) as error:
        raise configuration.placed(error, single_resource) from None


def _closure(implies: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Return all that each scope implies, over any number of steps."""
    closed = {}
    for name in implies:
        reached, waiting = set(), [name]
        while waiting:
            for one in implies.get(waiting.pop(), ()):
                if one not in reached:
                    reached.add(one)
                    waiting.append(one)
        closed[name] = frozenset(reached)
    return closed


def _must_be_text(subject: object) -> None:
    if not isinstance(subject, str):
        raise MisuseError("subject", f"a text, as in User(subject), not {subject!r}")


async def _finished(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _acknowledged(outcome: Any) -> bool:
    if outcome.kind == "unavailable":
        raise StoreError("the store failed; nothing is certain to be written: try again")
    return bool(outcome.kind != "not_found")


def _issued(outcome: Any) -> IssuedToken:
    _acknowledged(outcome)
    return IssuedToken(outcome.token, outcome.grant_id, outcome.expires_at)


class SyncView:
    """What account pages need, for hosts without async."""

    __slots__ = ("_auth",)

    def __init__(self, auth: Lockstep) -> None:
        self._auth = auth

    def close(self) -> None:
        """Let go of the store's files and connections."""
        self._auth.store.close()

    def connected_apps(self, subject: str) -> list[GrantSummary]:
        """List the apps that a user has connected, newest first."""
        return [grant for grant in self._grants(subject) if not grant.personal]

    def revoke_app(self, subject: str, grant_id: str) -> bool:
        """Disconnect an app. False when the user has no such grant."""
        return _acknowledged(self._operate(self._auth.native.revoke_grant(subject, grant_id, now(), seed())))

    def sign_out_everywhere(self, subject: str) -> None:
        """End all of a user's grants and personal tokens at once."""
        _acknowledged(self._operate(self._auth.native.sign_out_everywhere(subject, now(), seed())))

    def issue_personal_token(
        self,
        subject: str,
        name: str,
        scopes: Sequence[str],
        expires_in: int | timedelta,
        *,
        resource: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> IssuedToken:
        """Issue a token that a person copies into a script. It is shown once: nothing keeps it."""
        return _issued(self._operate(self._auth._personal_operation(subject, name, scopes, expires_in, resource, claims)))

    def list_personal_tokens(self, subject: str) -> list[GrantSummary]:
        """List a user's personal tokens, newest first."""
        return [grant for grant in self._grants(subject) if grant.personal]

    def revoke_personal_token(self, subject: str, grant_id: str) -> bool:
        """End a personal token. False when the user has no such token."""
        return self.revoke_app(subject, grant_id)

    def _operate(self, exchange: Exchange) -> Any:
        outcome: Any = drive(exchange, RequestHost(self._auth))
        self._auth.audit.tell(outcome)
        return outcome

    def _grants(self, subject: str) -> list[GrantSummary]:
        _must_be_text(subject)
        native, store = self._auth.native, cast(Any, self._auth.store)
        (counter,) = store.load([native.subject_counter_key(subject)])
        return native.describe(store.list(subject), native.subject_counter(counter), now())

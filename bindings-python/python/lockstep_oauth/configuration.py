"""From friendly keywords to the core's configuration. What a value may be is checked in the core, once and for every language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from .errors import ConfigurationError

__all__ = ["Client", "ClientDocuments", "Document", "ExternalToken", "Registration", "Resource", "Scope"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope, as the consent page shows it."""

    description: str = ""
    """What the app may do with it, in the user's words: ``"Read your notes"``."""
    name: str = ""
    """Only in a list of scopes; in a mapping the key is the name."""
    default: bool | None = None
    """Whether a client that asks for no scope gets it. Unset: yes, unless another scope says ``default=True``."""
    optional: bool = False
    """Whether the user may untick it."""
    implies: Sequence[str] = ()
    """Scopes that this one covers."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One protected resource: the URL that clients connect to, such as ``https://notes.example/mcp``."""

    resource: str
    name: str = ""
    """What the consent page calls it; the URL when empty."""
    scopes: Sequence[str] = ()
    """The scopes that mean anything here; all of them when empty."""
    aliases: Sequence[str] = ()
    """Other spellings of the URL that clients send."""
    documentation: str | None = None
    """An https URL of a page for developers."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that you registered by hand."""

    client_id: str
    redirect_uris: Sequence[str] = ()
    client_name: str | None = None
    """What the consent page calls it; the identifier when unset."""
    client_secret: str | None = field(default=None, repr=False)
    """At least 16 characters; ``python -m lockstep_oauth keys secret`` makes one."""
    token_endpoint_auth_method: str | None = None
    """``none``, ``client_secret_basic``, ``client_secret_post`` or ``private_key_jwt``; unset: what the rest says."""
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    grant_types: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    """The scopes it may ask for; all of them when None."""
    older_audiences: bool = False
    """Whether its assertions may name the token endpoint as audience, as older libraries do."""
    introspects: bool = False
    """Whether it may use the introspection endpoint."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """Who may register a client (RFC 7591)."""

    mode: str = "open"
    """``off``, ``open`` or ``guarded`` (with one of the initial access tokens)."""
    initial_access_tokens: Sequence[str] = field(default=(), repr=False)
    """For ``guarded``: texts of at least 16 characters."""
    unused_seconds: int | timedelta | None = None
    """How long a registration lives that no user has approved. Default: one day."""
    per_hour: int | None = None
    """How many registrations one address may make in an hour. Default: 60."""


@dataclass(frozen=True, slots=True)
class ClientDocuments:
    """Which client id metadata documents are fetched, and how long they are kept."""

    enabled: bool = True
    allow_hosts: Sequence[str] = ()
    """Only these hosts, when any are named."""
    deny_hosts: Sequence[str] = ()
    loopback: bool = False
    """Development only: allow documents on this machine. Honoured only where the issuer is http on loopback."""
    same_host_redirects: bool = False
    """Whether every https redirect must be on the document's own host."""
    min_seconds: int | timedelta | None = None
    max_seconds: int | timedelta | None = None
    stale_seconds: int | timedelta | None = None
    """How long a copy may serve while its host is down. Default: one week."""
    per_minute: int | None = None
    """How many fetches are made for one address in a minute. Default: 30."""


@dataclass(frozen=True, slots=True)
class Document:
    """A discovery document of your own under ``/.well-known/``."""

    path: str
    body: str | Mapping[str, Any] | Sequence[Any]
    """Text, or a value that is written as JSON."""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class ExternalToken:
    """What ``verify_token`` returns for a token of yours that this server did not issue."""

    subject: str
    scopes: Sequence[str] = ()
    expires_at: int | None = None
    """Seconds since 1970; None when ``verify_token`` checks that each time."""
    claims: Mapping[str, Any] = field(default_factory=dict)


SECONDS = (
    "code_seconds", "ticket_seconds", "access_seconds", "idle_seconds", "absolute_seconds",
    "code_race_seconds", "retry_window_seconds",
)  # fmt: skip
CHOICES = {
    "access_token_format": ["opaque", "jwt"],
    "refresh": ["grant_types", "offline_access", "never"],
    "unknown_scopes": ["drop", "refuse"],
}
PLAIN = (
    "private_schemes", "access_token_format", "overlap_budget", "unknown_scopes", "refresh", "token_prefixes",
    "several_resources", "service_documentation",
)  # fmt: skip
KEYWORDS = (
    "issuer", "resource", "resources", "scopes", "keys", "store", "sign_in", "login_url", "next_parameter", "clients", "registration",
    "client_documents", "consent_page", "may_refresh", "verify_token", "documents", "on_event", "fetcher", "environment",
    *SECONDS, *PLAIN,
)  # fmt: skip
ELSEWHERE = {
    "access_token_seconds": "access_seconds",
    "access_token_lifetime": "access_seconds",
    "refresh_token_seconds": "idle_seconds",
    "refresh_token_lifetime": "idle_seconds",
    "allow_loopback_documents": "client_documents=ClientDocuments(loopback=True)",
    "database": "store",
    "secret": "keys",
    "secret_key": "keys",
    "audience": "resource",
    "base_url": "issuer",
    "dcr": "registration",
    "dynamic_registration": "registration",
    "jwt": 'access_token_format="jwt"',
    "redirect_uris": "clients=[Client(client_id, redirect_uris)]",
    "required_scopes": "scopes",
    "token_format": "access_token_format",
    "current_user": "sign_in",
    "get_user": "sign_in",
    "user": "sign_in",
}


def _nearest(name: str, known: Sequence[str]) -> str | None:
    from difflib import get_close_matches  # imports are most of what importing this package costs

    return next(iter(get_close_matches(name, known, n=1)), None)


def unknown_keyword(name: str) -> NoReturn:
    """Refuse a keyword, with the one that was probably meant."""
    meant = ELSEWHERE.get(name) or _nearest(name, KEYWORDS)
    hint = f"did you mean `{meant}`?" if meant else f"known are {', '.join(sorted(KEYWORDS))}"
    raise ConfigurationError(name, f"this option is not known; {hint}")


def core_configuration(
    *,
    issuer: str,
    resource: str | Resource | None,
    resources: Sequence[str | Resource] | None,
    scopes: Mapping[str, str | Scope] | Sequence[str | Scope] | None,
    clients: Sequence[Client | Mapping[str, Any]],
    registration: str | Registration | Mapping[str, Any],
    client_documents: bool | ClientDocuments | Mapping[str, Any],
    documents: Mapping[str, Any] | Sequence[Document],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the core's configuration, ready for JSON. What is None is left out: the core knows the defaults."""
    if issuer and not isinstance(issuer, str):
        raise ConfigurationError("issuer", f"a text, not {issuer!r}")
    if not issuer:
        raise ConfigurationError("issuer", 'missing; give the https address of your app, such as "https://notes.example"')
    return {
        "issuer": issuer,
        "resources": _resources(resource, resources),
        "scopes": _scopes(scopes),
        "clients": [_client(index, client) for index, client in enumerate(_listed("clients", clients, "Client"))],
        "registration": _registration(registration),
        "client_documents": _client_documents(client_documents),
        "documents": _documents(documents),
        **{name: _plain(name, value) for name, value in options.items() if value is not None},
    }


def _listed(field: str, value: Any, kind: str) -> Sequence[Any]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise ConfigurationError(field, f"a list of {kind}(...), not {value!r}")
    return value


def _plain(name: str, value: Any) -> Any:
    if name in SECONDS:
        return _seconds(name, value)
    if name in CHOICES and value not in CHOICES[name]:
        raise ConfigurationError(name, f"one of {', '.join(map(repr, CHOICES[name]))}, not {value!r}")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return value


def _seconds(field: str, value: Any) -> Any:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not float(value).is_integer():
        raise ConfigurationError(field, f"a whole number of seconds or a timedelta, not {value!r}")
    return int(value)


def _texts(field: str, value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, (Sequence, set, frozenset)):
        raise ConfigurationError(field, f"a list of texts, not {value!r}; write [{value!r}] for a single one")
    return list(value)


def _made(kind: type[T], at: str, value: Any) -> T:
    """Return an object of that kind; a mapping is read as its fields."""
    if isinstance(value, Mapping):
        known = [one.name for one in fields(kind)]  # type: ignore[arg-type]
        for name in value:
            if name not in known:
                meant = _nearest(name, known)
                hint = f"did you mean `{meant}`?" if meant else f"known are {', '.join(known)}"
                raise ConfigurationError(f"{at}.{name}", f"this field is not known; {hint}")
        required = next((one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING), None)  # type: ignore[arg-type]
        if required is not None and required not in value:
            raise ConfigurationError(f"{at}.{required}", "missing; this field is required")
        value = kind(**value)
    if not isinstance(value, kind):
        raise ConfigurationError(at, f"{_ALSO.get(at, '')}{kind.__name__}(...), not {value!r}")
    return value


_ALSO = {"registration": '"off", "open", "guarded" or ', "client_documents": "True, False or "}


def _without_nones(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None}


def _resources(resource: str | Resource | None, resources: Sequence[str | Resource] | None) -> list[dict[str, Any]]:
    if resource is not None and resources is not None:
        raise ConfigurationError("resources", "give either `resource` or `resources`, not both")
    if isinstance(resources, (str, Resource)):
        raise ConfigurationError("resources", "a list; for a single one write resource=...")
    if resource is None and not resources:
        raise ConfigurationError("resource", 'missing; name the URL that clients connect to, such as "https://notes.example/mcp"')
    entries = []
    for index, entry in enumerate([resource] if resource is not None else resources or ()):
        entry = Resource(entry) if isinstance(entry, str) else entry
        at = f"resources[{index}]" if resource is None else "resource"
        if not isinstance(entry, Resource):
            raise ConfigurationError(at, f"a URL or a Resource(...), not {entry!r}")
        entries.append(_without_nones({
            "resource": entry.resource,
            "name": entry.name or None,
            "scopes": _texts(f"{at}.scopes", entry.scopes) or None,
            "aliases": _texts(f"{at}.aliases", entry.aliases) or None,
            "documentation": entry.documentation,
        }))  # fmt: skip
    return entries


def _scopes(scopes: Mapping[str, str | Scope] | Sequence[str | Scope] | None) -> list[dict[str, Any]]:
    if isinstance(scopes, str):
        raise ConfigurationError("scopes", f'a mapping of names and descriptions, not a text; write {{"{scopes}": "What it allows"}}')
    if not scopes:
        raise ConfigurationError("scopes", 'missing; say what an app may ask for: {"notes:read": "Read your notes"}')
    named: list[tuple[str, Scope]] = []
    if isinstance(scopes, Mapping):
        for name, scope in scopes.items():
            scope = Scope(scope) if isinstance(scope, str) else scope
            if not isinstance(scope, Scope):
                raise ConfigurationError(f'scopes["{name}"]', f"a description or a Scope(...), not {scope!r}")
            if scope.name not in ("", name):
                raise ConfigurationError(f'scopes["{name}"]', f"the Scope calls itself {scope.name!r}; leave `name` out in a mapping")
            named.append((name, scope))
    else:
        for index, scope in enumerate(scopes):
            scope = Scope(name=scope) if isinstance(scope, str) else scope
            if not isinstance(scope, Scope):
                raise ConfigurationError(f"scopes[{index}]", f"a name or a Scope(...), not {scope!r}")
            if not scope.name:
                raise ConfigurationError(f"scopes[{index}]", "in a list each Scope needs its name=...")
            named.append((scope.name, scope))
    chosen = any(scope.default for _, scope in named)
    return [
        _without_nones({
            "name": name,
            "description": scope.description or None,
            "optional": bool(scope.optional),
            # Once one scope is named the default, the others are not.
            "default": scope.default if scope.default is not None else (False if chosen else None),
            "implies": _texts(f'scopes["{name}"].implies', scope.implies) or None,
        })
        for name, scope in named
    ]  # fmt: skip


def _client(index: int, client: Client | Mapping[str, Any]) -> dict[str, Any]:
    at = f"clients[{index}]"
    client = _made(Client, at, client)
    return _without_nones({
        "client_id": client.client_id,
        "client_name": client.client_name,
        "redirect_uris": _texts(f"{at}.redirect_uris", client.redirect_uris) or None,
        "client_secret": client.client_secret,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "jwks": _key_set(f"{at}.jwks", client.jwks),
        "jwks_uri": client.jwks_uri,
        "grant_types": _texts(f"{at}.grant_types", client.grant_types) if client.grant_types is not None else None,
        "scopes": _texts(f"{at}.scopes", client.scopes) if client.scopes is not None else None,
        "older_audiences": client.older_audiences,
        "introspects": client.introspects,
        "disabled": client.disabled,
    })  # fmt: skip


def _key_set(field: str, value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(field, f'a key set such as {{"keys": [...]}}, not {value!r}')
    return None if value is None else dict(value)


def _registration(registration: str | Registration | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(registration, str):
        registration = Registration(mode=registration)
    registration = _made(Registration, "registration", registration)
    if registration.mode == "guarded" and not registration.initial_access_tokens:
        raise ConfigurationError("registration", 'give the tokens: Registration("guarded", initial_access_tokens=[...])')
    if registration.mode != "guarded" and registration.initial_access_tokens:
        raise ConfigurationError("registration.initial_access_tokens", 'only "guarded" asks for them; write Registration("guarded", ...)')
    return _without_nones({
        "mode": registration.mode,
        "initial_access_tokens": _texts("registration.initial_access_tokens", registration.initial_access_tokens) or None,
        "unused_seconds": _optional_seconds("registration.unused_seconds", registration.unused_seconds),
        "per_hour": registration.per_hour,
    })  # fmt: skip


def _optional_seconds(field: str, value: Any) -> Any:
    return None if value is None else _seconds(field, value)


def _client_documents(documents: bool | ClientDocuments | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(documents, bool):
        documents = ClientDocuments(enabled=documents)
    documents = _made(ClientDocuments, "client_documents", documents)
    at = "client_documents"
    for name, hosts in (("allow_hosts", documents.allow_hosts), ("deny_hosts", documents.deny_hosts)):
        for host in _texts(f"{at}.{name}", hosts):
            if not isinstance(host, str) or not re.fullmatch(r"(\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]", host):
                raise ConfigurationError(f"{at}.{name}", f'a host in lower case such as "app.example" or "*.app.example", not {host!r}')
    return _without_nones({
        "enabled": documents.enabled,
        "allow_hosts": _texts(f"{at}.allow_hosts", documents.allow_hosts) or None,
        "deny_hosts": _texts(f"{at}.deny_hosts", documents.deny_hosts) or None,
        "loopback": documents.loopback,
        "same_host_redirects": documents.same_host_redirects,
        "min_seconds": _optional_seconds(f"{at}.min_seconds", documents.min_seconds),
        "max_seconds": _optional_seconds(f"{at}.max_seconds", documents.max_seconds),
        "stale_seconds": _optional_seconds(f"{at}.stale_seconds", documents.stale_seconds),
        "per_minute": documents.per_minute,
    })  # fmt: skip


OUR_DOCUMENTS = ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/.well-known/openid-configuration")


def _documents(documents: Mapping[str, Any] | Sequence[Document]) -> list[dict[str, Any]]:
    if isinstance(documents, Mapping):
        documents = [Document(path, body) for path, body in documents.items()]
    entries: list[dict[str, Any]] = []
    for index, document in enumerate(_listed("documents", documents, "Document")):
        at = f"documents[{index}]"
        document = _made(Document, at, document)
        if str(document.path).startswith(OUR_DOCUMENTS):
            raise ConfigurationError(f"{at}.path", f"`{document.path}` is served by Lockstep itself; choose another path")
        if any(entry["path"] == document.path for entry in entries):
            raise ConfigurationError(f"{at}.path", f"`{document.path}` appears twice")
        try:
            body = document.body if isinstance(document.body, str) else json.dumps(document.body, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{at}.body", f"a text or a JSON value: {error}") from None
        entries.append({"path": document.path, "content_type": document.content_type, "body": body})
    return entries


def placed(error: Any, single_resource: bool) -> ConfigurationError:
    """Return the core's complaint with the names that the host wrote."""
    at = getattr(error, "field", None) or getattr(error, "at", "") or "configuration"
    message = getattr(error, "message", str(error))
    if single_resource:
        at = re.sub(r"^resources(\[0\](\.resource)?)?", "resource", at)
    return ConfigurationError(at, message)

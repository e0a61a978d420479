"""The Rust core. Private: the modules around it are the interface."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, final

from .types import User

__all__ = [
    "AdmitQuestion",
    "Allowed",
    "Answer",
    "AuditEvent",
    "Budget",
    "Commit",
    "ConsentQuestion",
    "Decide",
    "Decision",
    "Desk",
    "Done",
    "Exchange",
    "Fetch",
    "FetchRequest",
    "Gate",
    "GrantSummary",
    "HttpResponse",
    "Identity",
    "Load",
    "Operated",
    "Record",
    "RefreshQuestion",
    "Refusal",
    "Server",
    "ShownScope",
    "SignInQuestion",
    "TokenQuestion",
    "Write",
    "address_permitted",
    "explain",
    "keys_generate",
    "keys_rotate",
    "refusals",
]

# Names for this file and for type checkers; the module itself has none of them.
_Header: TypeAlias = tuple[bytes, bytes]
_Outcome: TypeAlias = Answer | Allowed | Operated
_Question: TypeAlias = SignInQuestion | ConsentQuestion | RefreshQuestion | TokenQuestion | AdmitQuestion
_Step: TypeAlias = Load | Commit | Fetch | Decide | Done
_Committed: TypeAlias = Literal["committed", "conflict", "unknown"]
_Load: TypeAlias = Callable[[list[str]], Sequence[Record | None]]
_CommitCall: TypeAlias = Callable[[Write], _Committed]
_Messages: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
_AddressRule: TypeAlias = Literal["public", "public_or_loopback"]

# --- The server -------------------------------------------------------------------------------------------------------

@final
class Desk:
    """The endpoints, and the store's operations."""

    def answer(self, scope: Mapping[str, Any], path: str, body: bytes, now: int, seed: bytes) -> Answer | Exchange:
        """Returns the answer, or an exchange that a driver moves to its end: it waits for something, or the store has raised."""

@final
class Gate:
    """What one route needs, and the store's operations."""

    def check(self, scope: Mapping[str, Any], origin_settled: bool, now: int, seed: bytes) -> Identity | Exchange | None:
        """Returns the identity, or an exchange that a driver moves to its end.

        None, and nothing is done, when the request has an ``Origin`` and ``origin_settled`` is false.
        """

@final
class Server:
    """An authorization server together with the resources it protects: immutable, and safe to share between threads."""

    def __new__(cls, config: str, keys: str) -> Server:
        """Raises ConfigurationError, which names the field and the fix."""

    def handle(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: Sequence[_Header],
        body: bytes,
        peer: str,
        now: int,
        seed: bytes,
    ) -> Exchange:
        """Ends with an Answer. ``now`` is in seconds since 1970; ``seed`` is ``os.urandom(32)``, used once."""

    def check(
        self,
        headers: Sequence[_Header],
        query: bytes,
        resource: str,
        scopes: Sequence[str],
        peer: str,
        now: int,
        seed: bytes,
    ) -> Exchange:
        """Ends with Allowed, or with the Answer to send instead. An empty resource means the first one."""

    def desk(self, load: _Load | None, commit: _CommitCall | None) -> Desk:
        """The endpoints for a server that calls ``load`` and ``commit`` in line; None for one that would wait."""

    def gate(self, resource: str, scopes: Sequence[str], load: _Load | None, commit: _CommitCall | None) -> Gate:
        """The check of one route. Like ``desk``."""

    def challenge(self, resource: str, scopes: Sequence[str]) -> HttpResponse: ...
    def issue_personal(
        self,
        subject: str,
        name: str,
        claims: Mapping[str, Any] | None,
        resource: str,
        scopes: Sequence[str],
        expires_in: int,
        now: int,
        seed: bytes,
    ) -> Exchange:
        """Ends with Operated. No scopes mean all default scopes, an empty resource the first one. Raises MisuseError."""

    def revoke_grant(self, subject: str, grant_id: str, now: int, seed: bytes) -> Exchange: ...
    def sign_out_everywhere(self, subject: str, now: int, seed: bytes) -> Exchange: ...
    def describe(self, records: Sequence[tuple[str, Record]], counter: int, now: int) -> list[GrantSummary]: ...
    def subject_counter_key(self, subject: str) -> str: ...
    def subject_counter(self, record: Record | None) -> int: ...
    def owns(self, path: str) -> bool: ...
    def paths(self) -> list[str]: ...
    @property
    def issuer(self) -> str: ...
    @property
    def resources(self) -> list[str]: ...

@final
class Budget:
    """The counters that protect us and others. One a process, safe between threads."""

    def __new__(cls) -> Budget: ...
    def admit(self, key: str, limit: int, period_seconds: int, now: int) -> bool: ...

def keys_generate(now: int, seed: bytes, algorithm: str = "ES256") -> str: ...
def keys_rotate(text: str, now: int, seed: bytes, lead_seconds: int, keep_seconds: int) -> str: ...
def address_permitted(address: str, rule: str) -> bool: ...
def explain(id: str) -> Refusal | None: ...
def refusals() -> list[Refusal]: ...

# --- An exchange and its steps ----------------------------------------------------------------------------------------

@final
class Exchange:
    """One request on its way. Each verb answers the present step and returns the next one.

    A verb that does not fit the step raises MisuseError and leaves the exchange as it was.
    """

    @property
    def now(self) -> int: ...
    @property
    def step(self) -> _Step: ...
    def loaded(self, records: Sequence[Record | None]) -> _Step: ...
    def load_failed(self) -> _Step: ...
    def committed(self, outcome: str) -> _Step: ...
    def fetched(self, status: int, headers: Sequence[_Header], body: bytes) -> _Step: ...
    def run(self, load: Callable[[list[str]], Any] | None, commit: Callable[[Write], str] | None) -> _Step:
        """Goes on as long as nothing is needed but ``load`` and ``commit``; None for one that may not be called here.

        Returns the step at which it stopped. What one of them raises is raised here, and the exchange stays at that step.
        """

    def fetch_failed(self, reason: str) -> _Step: ...
    def fetch_over_budget(self) -> _Step: ...
    def decided(self, decision: Decision) -> _Step: ...
    def decide_failed(self) -> _Step: ...

@final
class Load:
    @property
    def keys(self) -> list[str]: ...

@final
class Commit:
    @property
    def write(self) -> Write: ...

@final
class Fetch:
    @property
    def request(self) -> FetchRequest: ...

@final
class Decide:
    @property
    def question(self) -> _Question: ...

@final
class Done:
    @property
    def outcome(self) -> _Outcome: ...

# --- Outcomes ---------------------------------------------------------------------------------------------------------

@final
class HttpResponse:
    """A response to be sent as it is; ``headers`` are pairs of bytes with lower-case names, as ASGI wants them."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[_Header]: ...
    @property
    def body(self) -> bytes: ...
    def messages(self, head: bool) -> _Messages:
        """The two messages of ASGI that send it. To a HEAD, no body and no length."""

@final
class Answer:
    @property
    def response(self) -> HttpResponse: ...
    @property
    def refusal(self) -> str | None: ...
    @property
    def events(self) -> tuple[AuditEvent, ...]: ...
    def messages(self, head: bool) -> _Messages:
        """The two messages of ASGI that send the response. To a HEAD, no body and no length."""

@final
class Allowed:
    @property
    def identity(self) -> Identity: ...

@final
class Operated:
    @property
    def kind(self) -> Literal["issued", "revoked", "signed_out", "not_found", "unavailable"]: ...
    @property
    def token(self) -> str | None: ...
    @property
    def grant_id(self) -> str | None: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def events(self) -> tuple[AuditEvent, ...]: ...

@final
class AuditEvent:
    """One event for the operator. It holds no token, code, secret or verifier."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def details(self) -> dict[str, str]: ...
    def to_json(self) -> str: ...
    def __hash__(self) -> int: ...

@final
class Identity:
    """Who asks, and what they may do."""

    __match_args__ = ("subject",)
    def __new__(
        cls,
        subject: str,
        client_id: str = ...,
        scopes: Sequence[str] = ...,
        resource: str = ...,
        claims: Mapping[str, Any] | None = None,
        grant_id: str = ...,
        expires_at: int = ...,
        kind: str = ...,
    ) -> Identity:
        """For tests of handlers; hosts get theirs from a check."""

    @property
    def subject(self) -> str: ...
    @property
    def client_id(self) -> str:
        """The client; empty for personal and external credentials."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of this token, in the order of its grant."""

    @property
    def resource(self) -> str:
        """The resource that the token is for, as configured."""

    @property
    def claims(self) -> dict[str, Any]:
        """The user's claims at approval. A new dict each time."""

    @property
    def grant_id(self) -> str:
        """The grant; empty for external credentials."""

    @property
    def expires_at(self) -> int:
        """Seconds since 1970."""

    @property
    def kind(self) -> Literal["access", "personal", "external"]: ...
    def __hash__(self) -> int: ...

@final
class GrantSummary:
    """One line of a user's list of connected apps and personal access tokens. Times are in seconds since 1970."""

    @property
    def grant_id(self) -> str: ...
    @property
    def client_id(self) -> str:
        """The client; empty for a personal access token."""

    @property
    def name(self) -> str:
        """The client's own name, or the token's."""

    @property
    def personal(self) -> bool: ...
    @property
    def scopes(self) -> list[str]: ...
    @property
    def resources(self) -> list[str]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def used_at(self) -> int: ...
    @property
    def expires_at(self) -> int: ...
    def __hash__(self) -> int: ...

@final
class Refusal:
    """Why a request is refused: what the peer is told, and what the operator should know."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def error(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def specification(self) -> str: ...
    @property
    def advice(self) -> str: ...
    def __hash__(self) -> int: ...

# --- Storage ----------------------------------------------------------------------------------------------------------

@final
class Record:
    def __new__(cls, version: int, value: bytes, expires_at: int) -> Record: ...
    @property
    def version(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def expires_at(self) -> int: ...
    def __hash__(self) -> int: ...

@final
class Write:
    """One conditional write of one record."""

    def __new__(
        cls,
        key: str,
        expect: int | None,
        version: int,
        value: bytes,
        expires_at: int,
        subject: str | None = None,
        client: str | None = None,
    ) -> Write: ...
    @property
    def key(self) -> str: ...
    @property
    def expect(self) -> int | None:
        """The version that must be there; None when the key must be absent."""

    @property
    def version(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def expires_at(self) -> int:
        """Seconds since 1970; a store may remove the record a day after this."""

    @property
    def subject(self) -> str | None: ...
    @property
    def client(self) -> str | None: ...
    @property
    def record(self) -> Record:
        """The record that the write leaves behind."""

# --- Fetching ---------------------------------------------------------------------------------------------------------

@final
class FetchRequest:
    """A request to another server, with its limits. Two are equal when every part is."""

    def __new__(
        cls,
        url: str,
        *,
        method: str = ...,
        headers: Sequence[tuple[str, str]] = ...,
        body: bytes = ...,
        limit_bytes: int = 65_536,
        timeout_ms: int = 10_000,
        admission: tuple[str, int, int] | None = None,
        addresses: str = "public",
    ) -> FetchRequest: ...
    @property
    def admission(self) -> tuple[str, int, int]: ...
    @property
    def url(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def headers(self) -> list[_Header]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def limit_bytes(self) -> int: ...
    @property
    def timeout_ms(self) -> int: ...
    @property
    def addresses(self) -> _AddressRule: ...
    def __hash__(self) -> int: ...

# --- Questions and decisions ------------------------------------------------------------------------------------------

@final
class SignInQuestion:
    """Who is this? Answered by signed_in, sign_in, approve or deny."""

    @property
    def return_to(self) -> str:
        """A path and query at the issuer's origin, never a full URL."""

    @property
    def client_id(self) -> str: ...
    @property
    def client_name(self) -> str: ...
    @property
    def scopes(self) -> list[str]: ...
    @property
    def resource(self) -> str: ...

@final
class ShownScope:
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def optional(self) -> bool: ...

@final
class ConsentQuestion:
    """Show this in a page of your own. Answered by page, or built_in for ours."""

    @property
    def client_id(self) -> str: ...
    @property
    def client_name(self) -> str:
        """Self-asserted: show ``client_host`` beside it."""

    @property
    def client_host(self) -> str: ...
    @property
    def redirect_host(self) -> str: ...
    @property
    def redirect_uri(self) -> str: ...
    @property
    def loopback(self) -> bool:
        """Whether the answer goes to a program on the user's own machine, which anyone could be."""

    @property
    def known(self) -> bool:
        """Whether the operator registered this client, so that its name can be trusted."""

    @property
    def resource(self) -> str: ...
    @property
    def scopes(self) -> list[ShownScope]: ...
    @property
    def user_name(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Hidden fields that the form must send back as they are."""

@final
class RefreshQuestion:
    """May this user's grant still be refreshed? Answered by allow or refuse."""

    @property
    def subject(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def grant_id(self) -> str: ...

@final
class TokenQuestion:
    """Whose token is this, which we did not issue? Answered by signed_in, credential or refuse."""

    @property
    def token(self) -> str: ...

@final
class AdmitQuestion:
    """Is there budget left? The driver answers it."""

    @property
    def key(self) -> str: ...
    @property
    def limit(self) -> int: ...
    @property
    def period_seconds(self) -> int: ...

@final
class Decision:
    """The host's answer to a question."""

    @staticmethod
    def signed_in(user: User) -> Decision: ...
    @staticmethod
    def sign_in(location: str) -> Decision: ...
    @staticmethod
    def approve(user: User, scopes: Sequence[str] | None = None) -> Decision: ...
    @staticmethod
    def deny() -> Decision: ...
    @staticmethod
    def page(html: str) -> Decision: ...
    @staticmethod
    def built_in() -> Decision: ...
    @staticmethod
    def allow() -> Decision: ...
    @staticmethod
    def refuse() -> Decision: ...
    @staticmethod
    def credential(user: User, scopes: Sequence[str], expires_at: int | None = None) -> Decision: ...
    @property
    def kind(self) -> str:
        """The name of the constructor that made it."""

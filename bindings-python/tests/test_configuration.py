"""What is wrong is said where it is wrong, with the fix."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from flow import MCP, ORIGIN, Flow, browser, lockstep, options

from lockstep_oauth import Client, ClientDocuments, ConfigurationError, Document, Lockstep, MemoryStore, MisuseError, Registration, Resource, Scope, User

async def print_later(event: object) -> None: ...


def with_a_dependency(request: object, db: object = Depends(print_later)) -> None: ...


def with_an_annotated_dependency(request: object, db: Annotated[object, Depends(print_later)]) -> None: ...


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"issuer": ""}, "issuer", "https://notes.example"),
    ({"issuer": "http://notes.example"}, "issuer", "https"),
    ({"issuer": "https://notes.example/#x"}, "issuer", "https"),
    ({"resource": None}, "resource", "https://notes.example/mcp"),
    ({"resource": "notes"}, "resource", "https"),
    ({"resource": MCP, "resources": [MCP]}, "resources", "not both"),
    ({"resource": None, "resources": MCP}, "resources", "resource="),
    ({"resource": Resource(MCP, scopes=["nope"])}, "resource.scopes", "nope"),
    ({"scopes": None}, "scopes", "Read your notes"),
    ({"scopes": {"notes read": "x"}}, "scopes[0].name", "spaces"),
    ({"scopes": {"notes:read": 7}}, 'scopes["notes:read"]', "Scope"),
    ({"scopes": [Scope("Read")]}, "scopes[0]", "name="),
    ({"scopes": {"a": Scope("A", implies=["b"])}}, "scopes", "`b`"),
    ({"scopes": {"a": Scope("A", implies="b")}}, 'scopes["a"].implies', "['b']"),
    ({"sign_in": None}, "sign_in", "SignIn"),
    ({"sign_in": "personal"}, "sign_in", "personal_token"),
    ({"sign_in": 7}, "sign_in", "callable"),
    ({"on_event": print_later}, "on_event", "queue"),
    ({"consent_page": "x.html"}, "consent_page", "callable"),
    ({"clients": [{"redirect_uris": []}]}, "clients[0].client_id", "required"),
    ({"clients": ["a"]}, "clients[0]", "Client(...)"),
    ({"clients": [{"client_id": "a", "redirect_uri": "x"}]}, "clients[0].redirect_uri", "did you mean `redirect_uris`"),
    ({"client_documents": {"loopbacks": True}}, "client_documents.loopbacks", "did you mean `loopback`"),
    ({"clients": [Client("a", "https://a.example/cb")]}, "clients[0].redirect_uris", "['https://a.example/cb']"),
    ({"clients": [Client("a", ["https://a.example/cb"], client_secret="short")]}, "clients[0].client_secret", "16"),
    ({"clients": [Client("a", ["javascript:alert(1)"])]}, "clients[0].redirect_uris", "javascript:alert(1)"),
    ({"clients": [Client("a", ["https://a.example/cb"], token_endpoint_auth_method="magic")]}, "clients[0].token_endpoint_auth_method", "private_key_jwt"),
    ({"registration": "sometimes"}, "registration.mode", "guarded"),
    ({"registration": "guarded"}, "registration", "initial_access_tokens"),
    ({"registration": True}, "registration", '"open"'),
    ({"client_documents": ClientDocuments(loopback=True)}, "client_documents.loopback", "loopback"),
    ({"access_seconds": "1h"}, "access_seconds", "timedelta"),
    ({"access_seconds": 0}, "access_seconds", "86400"),
    ({"retry_window_seconds": 61}, "retry_window_seconds", "60"),
    ({"documents": [Document("/x", "{}")]}, "documents[0].path", "/.well-known/"),
    ({"token_prefixes": {"access": "same_", "refresh": "same_"}}, "token_prefixes", "own"),
    ({"store": "mysql://x"}, "store", "sqlite:///"),
    ({"store": object()}, "store", "load"),
    ({"store": Path("oauth.db")}, "store", "sqlite:///oauth.db"),
    ({"store": "sqlite://oauth.db"}, "store", "sqlite:///oauth.db for"),
    ({"store": MemoryStore}, "store", "MemoryStore(...)"),
    ({"issuer": b"https://notes.example"}, "issuer", "a text"),
    ({"issuer": "notes.example", "keys": None}, "issuer", "https"),
    ({"issuer": "http://notes.example", "keys": None}, "issuer", "loopback"),
    ({"issuer": "https://notes.example", "keys": None}, "keys", "LOCKSTEP_KEYS_FILE"),
    ({"keys": "keys.json"}, "keys", "keys=Path(...)"),
    ({"keys": {"v": 1}}, "keys", "not dict"),
    ({"keys": Path("nowhere.json")}, "keys", "keys new --out nowhere.json"),
    ({"keys": None, "environment": {"LOCKSTEP_KEYS": "keys.json"}}, "LOCKSTEP_KEYS", "LOCKSTEP_KEYS_FILE"),
    ({"scopes": "notes:read"}, "scopes", '{"notes:read": '),
    ({"sign_in": "/login"}, "sign_in", "login_url="),
    ({"sign_in": "host"}, "sign_in", "personal_token"),
    ({"sign_in": lambda: None}, "sign_in", "(request, question)"),
    ({"sign_in": lambda one, two, three: None}, "sign_in", "(request, question)"),
    ({"sign_in": with_a_dependency}, "sign_in", "`db` is a dependency"),
    ({"sign_in": with_an_annotated_dependency}, "sign_in", "`db` is a dependency"),
    ({"consent_page": lambda request: ""}, "consent_page", "consent_page(request, question)"),
    ({"login_url": "login"}, "login_url", "/login"),
    ({"next_parameter": None}, "next_parameter", "next"),
    ({"fetcher": 7}, "fetcher", "fetch_async"),
    ({"clients": Client("a")}, "clients", "list of Client"),
    ({"clients": None}, "clients", "list of Client"),
    ({"clients": [Client("a", jwks=[])]}, "clients[0].jwks", '{"keys": [...]}'),
    ({"registration": Registration("open", initial_access_tokens=["x" * 20])}, "registration.initial_access_tokens", "guarded"),
    ({"client_documents": ClientDocuments(allow_hosts=["https://app.example"])}, "client_documents.allow_hosts", "*.app.example"),
    ({"client_documents": ClientDocuments(deny_hosts=["App.example"])}, "client_documents.deny_hosts", "lower case"),
    ({"documents": None}, "documents", "list of Document"),
    ({"documents": {"/.well-known/x": {1, 2}}}, "documents[0].body", "JSON"),
    ({"documents": [Document("/.well-known/x", {}), Document("/.well-known/x", {})]}, "documents[1].path", "twice"),
    ({"documents": {"/.well-known/oauth-authorization-server": {}}}, "documents[0].path", "itself"),
    ({"access_token_format": "JWT"}, "access_token_format", "'jwt'"),
    ({"refresh": True}, "refresh", "'offline_access'"),
    ({"access_seconds": float("nan")}, "access_seconds", "timedelta"),
    ({"access_seconds": float("inf")}, "access_seconds", "timedelta"),
]


@pytest.mark.parametrize(("change", "field", "fix"), WRONG, ids=lambda value: str(value)[:60])
def test_an_error_names_the_field_and_the_fix(change: dict[str, Any], field: str, fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Lockstep(**options(**change))
    assert caught.value.field == field
    assert fix in caught.value.message
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("isuer_url", "issuer"), ("scope", "scopes"), ("access_token_seconds", "access_seconds"), ("singin", "sign_in"),
        ("allow_loopback_documents", "ClientDocuments(loopback=True)"), ("retry_window", "retry_window_seconds"),
        ("jwt", "access_token_format"), ("dcr", "registration"),
    ],
)  # fmt: skip
def test_an_unknown_keyword_is_refused_with_the_one_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match="did you mean") as caught:
        Lockstep(**options(**{wrong: 1}))
    assert caught.value.field == wrong and meant in caught.value.message


def test_friendly_values_reach_the_core() -> None:
    auth = lockstep(
        resource=None,
        resources=[MCP, Resource(f"{ORIGIN}/api", name="API", scopes=["notes:read"], aliases=[f"{ORIGIN}/v1"])],
        access_seconds=timedelta(minutes=10),
        registration=Registration("guarded", initial_access_tokens=["x" * 20], unused_seconds=timedelta(hours=1)),
        client_documents=False,
        documents={"/.well-known/notes": {"hello": "world"}},
        private_schemes=["cursor"],
        overlap_budget=3,
        service_documentation="https://notes.example/docs",
    )
    assert auth.resources == (MCP, f"{ORIGIN}/api")
    assert "/.well-known/notes" in auth.native.paths()


@pytest.mark.anyio
async def test_a_document_is_written_as_every_host_writes_json() -> None:
    auth = lockstep(documents={"/.well-known/notes": {"name": "Nötes", "list": [1, 2.5, True, None]}})
    async with browser(auth.asgi()) as http:
        assert (await http.get("/.well-known/notes")).content == '{"name":"Nötes","list":[1,2.5,true,null]}'.encode()


@pytest.mark.anyio
async def test_scopes_are_all_defaults_until_one_is_named_the_default() -> None:
    for scopes, expected in (
        ({"a": "A", "b": "B"}, "a b"),
        ({"a": Scope("A", default=True), "b": "B"}, "a"),
        ([Scope("A", name="a"), Scope("B", name="b", default=False)], "a"),
    ):
        async with browser(lockstep(scopes=scopes).asgi()) as http:
            tokens = await Flow(http).tokens()
            assert tokens["scope"] == expected


@pytest.mark.parametrize("call", ["protect", "require", "auth_settings", "fastmcp"])
def test_a_guard_for_a_scope_or_resource_that_is_not_configured_is_refused(call: str) -> None:
    auth = lockstep()

    def guard(scope: str, resource: str | None) -> Any:
        match call:
            case "protect":
                return auth.protect(auth.asgi(), [scope], resource=resource)
            case "require":
                return auth.require(scope, resource=resource)
            case "auth_settings":
                return auth.mcp.auth_settings(scopes=[scope], resource=resource)
            case _:
                pytest.importorskip("fastmcp")
                return auth.fastmcp(scopes=[scope], resource=resource)

    with pytest.raises(ConfigurationError, match="'notes:red' is not configured"):
        guard("notes:red", None)
    with pytest.raises(ConfigurationError, match="https://notes.example/mpc"):
        guard("notes:read", f"{ORIGIN}/mpc")
    guard("notes:read", MCP)


def test_a_secret_is_not_in_the_representation_of_a_configuration() -> None:
    client = Client("a", ["https://a.example/cb"], client_secret="a-very-secret-secret")
    assert "a-very-secret-secret" not in repr(client)
    assert "x" * 20 not in repr(Registration("guarded", initial_access_tokens=["x" * 20]))


def test_a_wrong_call_is_refused_at_once() -> None:
    auth, app = lockstep(), FastAPI()
    auth.install(app)

    class Server:
        def streamable_http_app(self) -> None: ...

    for call, said in (
        (lambda: auth.install(app), "install once"),
        (lambda: auth.protect(Server()), r"give its streamable_http_app\(\)"),  # type: ignore[arg-type]
        (lambda: auth.asgi(Server()), "an ASGI app, not Server"),  # type: ignore[arg-type]
        (lambda: auth.protect(auth.asgi(), origins="https://x.example"), r"\['https://x.example'\]"),
        (lambda: auth.require(["notes:read", "notes:write"]), r"require\('notes:read', 'notes:write'\)"),  # type: ignore[arg-type]
        (lambda: auth.require("notes:read", or_session="x"), "or_session: a callable"),  # type: ignore[arg-type]
        (lambda: auth.mcp.requires("notes:red"), "is not configured"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            call()
    for call, said in (
        (lambda: User(7), r"User\(str"),  # type: ignore[arg-type]
        (lambda: auth.sync.connected_apps(7), "subject: a text"),  # type: ignore[arg-type]
        (lambda: auth.sync.issue_personal_token("a", "x", ["notes:read"], "1d"), "expires_in: a whole number"),  # type: ignore[arg-type]
    ):
        with pytest.raises(MisuseError, match=said):
            call()

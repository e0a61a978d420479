"""A FastAPI app with one line of installation, through the whole life of a connection."""

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from flow import CALLBACK, MCP, ORIGIN, Flow, bearer, browser, challenge_of, lockstep
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware

from lockstep_oauth import ConfigurationError, Identity, InsufficientScope, Lockstep, SignIn, User, current_identity

pytestmark = pytest.mark.anyio


def notes_app(auth: Lockstep) -> FastAPI:
    app = FastAPI()
    auth.install(app)

    @app.get("/notes")
    async def notes(user: Annotated[Identity, Depends(auth.require("notes:read"))]) -> dict[str, object]:
        assert current_identity() == user
        return {"subject": user.subject, "client": user.client_id, "scopes": list(user.scopes), "tier": user.claims.get("tier")}

    @app.get("/sync-notes")
    def sync_notes(user: Annotated[Identity, Depends(auth.require("notes:read"))]) -> str:
        identity = current_identity()
        assert identity is not None
        return identity.subject

    @app.post("/notes")
    async def add(user: Annotated[Identity, Depends(auth.require("notes:write"))]) -> str:
        return "added"

    @app.post("/publish")
    async def publish(user: Annotated[Identity, Depends(auth.require("notes:read"))]) -> str:
        raise InsufficientScope("notes:write")

    return app


async def test_the_whole_life_of_a_connection() -> None:
    auth = lockstep()
    async with browser(notes_app(auth)) as http:
        registered = await http.post("/register", json={"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "client_name": "App", "grant_types": ["authorization_code", "refresh_token"]})
        assert registered.status_code == 201, registered.text
        flow = Flow(http, client_id=registered.json()["client_id"])

        first = await http.get(f"/authorize?{flow.query()}")
        assert first.status_code == 303
        location = first.headers["location"]
        assert location.startswith("/login?next=%2Fauthorize%3F"), location

        tokens = await flow.tokens()
        answer = await http.get("/notes", headers=bearer(tokens["access_token"]))
        assert answer.json() == {"subject": "alice", "client": flow.client_id, "scopes": ["notes:read"], "tier": "gold"}
        assert (await http.get("/sync-notes", headers=bearer(tokens["access_token"]))).json() == "alice"

        refreshed = (await flow.refresh(tokens["refresh_token"])).json()
        assert refreshed["refresh_token"] != tokens["refresh_token"]
        assert (await http.get("/notes", headers=bearer(refreshed["access_token"]))).status_code == 200

        revoked = await http.post("/revoke", data={"token": refreshed["refresh_token"], "client_id": flow.client_id})
        assert revoked.status_code == 200
        gone = await http.get("/notes", headers=bearer(refreshed["access_token"]))
        assert gone.status_code == 401 and challenge_of(gone)["error"] == "invalid_token"


async def test_a_challenge_says_where_the_metadata_is_and_which_scope_is_needed() -> None:
    auth = lockstep()
    async with browser(notes_app(auth)) as http:
        answer = await http.get("/notes")
        assert answer.status_code == 401
        challenge = challenge_of(answer)
        assert challenge["resource_metadata"] == f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"
        assert challenge["scope"] == "notes:read" and "error" not in challenge
        document = (await http.get(challenge["resource_metadata"])).json()
        assert document["resource"] == MCP and document["authorization_servers"] == [ORIGIN]

        tokens = await Flow(http).tokens("notes:read")
        answer = await http.post("/notes", headers=bearer(tokens["access_token"]))
        assert answer.status_code == 403
        assert challenge_of(answer)["error"] == "insufficient_scope" and challenge_of(answer)["scope"] == "notes:write"


async def test_a_scope_that_a_handler_finds_missing_becomes_a_challenge() -> None:
    async with browser(notes_app(lockstep())) as http:
        tokens = await Flow(http).tokens("notes:read")
        answer = await http.post("/publish", headers=bearer(tokens["access_token"]))
        assert answer.status_code == 403
        assert challenge_of(answer)["scope"] == "notes:read notes:write"


async def test_the_identity_ends_with_its_request() -> None:
    async with browser(notes_app(lockstep())) as http:
        tokens = await Flow(http).tokens()
        assert (await http.get("/notes", headers=bearer(tokens["access_token"]))).status_code == 200
        assert current_identity() is None


async def test_sign_in_sees_the_session_of_a_middleware_that_was_added_before_or_after() -> None:
    def user(request: object) -> User | None:
        name = request.session.get("user")  # type: ignore[attr-defined]
        return User(name) if name else None

    for before in (True, False):
        auth = lockstep(sign_in=user, login_url="/login")
        app = FastAPI()
        if before:
            app.add_middleware(SessionMiddleware, secret_key="x" * 32)
        auth.install(app)
        if not before:
            app.add_middleware(SessionMiddleware, secret_key="x" * 32)

        @app.get("/log-in-as/{name}")
        async def log_in(name: str, request: __import__("fastapi").Request) -> None:  # type: ignore[valid-type,name-defined]
            request.session["user"] = name

        async with browser(app) as http:
            flow = Flow(http)
            assert (await flow.page()).headers["location"].startswith("/login?next=")
            await http.get("/log-in-as/bob")
            assert (await flow.page()).status_code == 200


async def test_the_apps_own_cors_policy_does_not_stop_clients() -> None:
    auth = lockstep()
    app = notes_app(auth)
    app.add_middleware(CORSMiddleware, allow_origins=["https://own.example"], allow_credentials=True)
    preflight = {"origin": "https://inspector.example", "access-control-request-method": "POST", "access-control-request-headers": "content-type,mcp-protocol-version"}
    async with browser(app) as http:
        answer = await http.options("/token", headers=preflight)
        assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
        answer = await http.post("/token", headers={"origin": "https://inspector.example"}, data={"grant_type": "x"})
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert (await http.options("/notes", headers=preflight)).status_code == 400


async def test_several_ways_in_on_one_endpoint() -> None:
    auth = lockstep()
    app = FastAPI()
    auth.install(app)

    async def by_session(request: object) -> User | None:
        name = request.cookies.get("session")  # type: ignore[attr-defined]
        return User(name) if name else None

    def by_key(request: object) -> User | None:
        return User("robot") if request.headers.get("x-api-key") == "k" * 20 else None  # type: ignore[attr-defined]

    @app.get("/notes")
    async def notes(user: Annotated[Identity, Depends(auth.require("notes:read", or_api_key=by_key, or_session=by_session))]) -> list[str]:
        return [user.subject, user.kind]

    async with browser(app) as http:
        assert (await http.get("/notes")).status_code == 401
        assert (await http.get("/notes", headers={"x-api-key": "k" * 20})).json() == ["robot", "external"]
        tokens = await Flow(http).tokens()
        assert (await http.get("/notes")).json() == ["alice", "external"]
        assert (await http.get("/notes", headers=bearer(tokens["access_token"]))).json() == ["alice", "access"]
        # A token that does not fit is refused, whatever else the request brings.
        assert (await http.get("/notes", headers={**bearer("nonsense"), "x-api-key": "k" * 20})).status_code == 401


async def test_an_identity_from_another_way_in_needs_the_scopes_and_the_resource_too() -> None:
    auth = lockstep(resource=None, resources=[f"{ORIGIN}/mcp", f"{ORIGIN}/api"])
    app = FastAPI()
    auth.install(app)
    keys = {
        "reader": Identity("robot", scopes=["notes:read"]),
        "writer": Identity("robot", scopes=["notes:write"], resource=f"{ORIGIN}/mcp"),
        "elsewhere": Identity("robot", scopes=["notes:write"], resource=f"{ORIGIN}/api"),
    }

    def by_key(request: object) -> Identity | None:
        return keys.get(request.headers.get("x-api-key"))  # type: ignore[attr-defined]

    @app.post("/notes")
    async def add(user: Annotated[Identity, Depends(auth.require("notes:write", or_api_key=by_key))]) -> str:
        return user.subject

    async with browser(app) as http:
        statuses = {name: (await http.post("/notes", headers={"x-api-key": name})).status_code for name in keys}
    assert statuses == {"reader": 403, "writer": 200, "elsewhere": 401}


async def test_openapi_knows_how_to_sign_in() -> None:
    schema = notes_app(lockstep()).openapi()
    flow = schema["components"]["securitySchemes"]["OAuth"]["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == f"{ORIGIN}/authorize" and flow["tokenUrl"] == f"{ORIGIN}/token"
    assert schema["paths"]["/notes"]["get"]["security"] == [{"OAuth": []}] or schema["paths"]["/notes"]["get"]["security"]


async def test_a_route_of_the_app_where_an_endpoint_is_stops_the_start() -> None:
    app = FastAPI()
    lockstep().install(app)

    @app.post("/token")
    async def token() -> None: ...

    async with browser(app) as http:
        with pytest.raises(ConfigurationError, match=r"issuer: your app has a route /token .* https://notes.example/oauth"):
            await http.get("/")


async def test_nobody_signed_in_and_no_login_page_is_401() -> None:
    app = FastAPI()
    lockstep(sign_in=lambda request: None).install(app)
    async with browser(app) as http:
        answer = await Flow(http).page()
        assert answer.status_code == 401 and "Sign in first" in answer.text


async def test_sign_in_may_be_async_and_ask_what_is_wanted() -> None:
    seen = []

    async def who(request: object, question: object) -> SignIn:
        seen.append((question.client_name, question.scopes, question.resource))  # type: ignore[attr-defined]
        return SignIn("/login?theme=dark#top")

    app = FastAPI()
    lockstep(sign_in=who).install(app)
    async with browser(app) as http:
        location = (await Flow(http).page("notes:write")).headers["location"]
    assert seen == [("Demo", ["notes:write"], MCP)]
    assert location.startswith("/login?theme=dark&next=%2Fauthorize%3F") and location.endswith("#top")


async def test_a_sign_in_that_fails_is_503_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def who(request: object) -> User:
        raise RuntimeError("the database is down")

    app = FastAPI()
    lockstep(sign_in=who).install(app)
    async with browser(app) as http:
        assert (await Flow(http).page()).status_code == 503
    assert "the database is down" in caplog.text


async def test_a_consent_page_of_ones_own() -> None:
    def page(request: object, question: object) -> str:
        hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in question.hidden)  # type: ignore[attr-defined]
        return f'<h1>{question.client_name}</h1><form method="post" action="{question.action}">{hidden}</form>'  # type: ignore[attr-defined]

    app = FastAPI()
    auth = lockstep(consent_page=page)
    auth.install(app)
    async with browser(app) as http:
        http.cookies.set("session", "alice")
        flow = Flow(http)
        shown = await flow.page("notes:read")
        assert "<h1>Demo</h1>" in shown.text
        assert (await flow.decide(shown, scopes=["notes:read"])).headers["location"].startswith(f"{CALLBACK}?")


async def test_a_user_who_may_not_refresh_is_refused() -> None:
    asked = []

    async def may_refresh(question: object) -> bool:
        asked.append(question.subject)  # type: ignore[attr-defined]
        return False

    app = FastAPI()
    lockstep(may_refresh=may_refresh).install(app)
    async with browser(app) as http:
        flow = Flow(http)
        tokens = await flow.tokens()
        answer = await flow.refresh(tokens["refresh_token"])
        assert answer.status_code == 400 and answer.json()["error"] == "invalid_grant"
        assert asked == ["alice"]

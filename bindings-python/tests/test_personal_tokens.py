"""Tokens that a person copies into a script."""

from datetime import timedelta

import pytest
from flow import MCP, ORIGIN, bearer, browser, lockstep

from lockstep_oauth import ConfigurationError, MisuseError, current_identity

pytestmark = pytest.mark.anyio


async def whoami(scope: object, receive: object, send: object) -> None:
    from starlette.responses import JSONResponse

    identity = current_identity()
    assert identity is not None
    await JSONResponse([identity.subject, identity.kind, list(identity.scopes), identity.claims])(scope, receive, send)  # type: ignore[arg-type]


async def test_a_personal_token_is_issued_used_listed_and_revoked() -> None:
    auth = lockstep()
    issued = await auth.issue_personal_token("alice", "laptop", ["notes:read"], timedelta(days=30), claims={"team": 7})
    assert issued.token not in repr(issued)
    async with browser(auth.protect(whoami, ["notes:read"])) as http:
        assert (await http.get("/", headers=bearer(issued.token))).json() == ["alice", "personal", ["notes:read"], {"team": 7}]
        (listed,) = await auth.list_personal_tokens("alice")
        assert (listed.name, list(listed.scopes), listed.grant_id, listed.expires_at) == ("laptop", ["notes:read"], issued.grant_id, issued.expires_at)
        assert await auth.connected_apps("alice") == []
        assert await auth.list_personal_tokens("bob") == []
        assert await auth.revoke_personal_token("bob", issued.grant_id) is False
        assert (await http.get("/", headers=bearer(issued.token))).status_code == 200
        assert await auth.revoke_personal_token("alice", issued.grant_id) is True
        assert (await http.get("/", headers=bearer(issued.token))).status_code == 401
        assert await auth.list_personal_tokens("alice") == []


async def test_a_personal_token_does_no_more_than_it_says() -> None:
    auth = lockstep(resource=None, resources=[MCP, f"{ORIGIN}/api"])
    token = (await auth.issue_personal_token("alice", "x", ["notes:read"], 60, resource=f"{ORIGIN}/api")).token
    async with browser(auth.protect(whoami, ["notes:write"], resource=f"{ORIGIN}/api")) as http:
        assert (await http.get("/", headers=bearer(token))).status_code == 403
    async with browser(auth.protect(whoami, resource=MCP)) as http:
        assert (await http.get("/", headers=bearer(token))).status_code == 401


async def test_wrong_arguments_are_named() -> None:
    auth = lockstep()
    with pytest.raises(ConfigurationError, match="'notes:red' is not configured"):
        await auth.issue_personal_token("alice", "x", ["notes:red"], 60)
    with pytest.raises(MisuseError, match="expires_in"):
        await auth.issue_personal_token("alice", "x", ["notes:read"], 0)
    with pytest.raises(MisuseError, match="subject"):
        await auth.issue_personal_token("", "x", ["notes:read"], 60)


def test_the_same_without_async() -> None:
    auth = lockstep()
    issued = auth.sync.issue_personal_token("alice", "laptop", ["notes:read"], 60)
    assert [token.grant_id for token in auth.sync.list_personal_tokens("alice")] == [issued.grant_id]
    assert auth.sync.revoke_personal_token("alice", issued.grant_id) is True
    assert auth.sync.list_personal_tokens("alice") == []
    auth.sync.sign_out_everywhere("alice")
    assert auth.sync.connected_apps("alice") == []


async def test_people_may_sign_in_by_pasting_a_personal_token() -> None:
    auth = lockstep(sign_in="personal_token")
    assert "/sign-in" in auth.native.paths()
    async with browser(auth.asgi()) as http:
        from flow import Flow

        answer = await Flow(http).page()
        assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
        assert (await http.get(answer.headers["location"])).status_code == 200

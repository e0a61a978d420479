"""What an account page shows, and its buttons."""

import pytest
from flow import CALLBACK, Flow, bearer, browser, lockstep
from starlette.responses import PlainTextResponse

from lockstep_oauth import Client, StoreError
from lockstep_oauth.stores import MemoryStore

pytestmark = pytest.mark.anyio


async def app(scope: object, receive: object, send: object) -> None:
    await PlainTextResponse("in")(scope, receive, send)  # type: ignore[arg-type]


async def test_apps_are_listed_and_disconnected_one_by_one_or_all_at_once(store: object) -> None:
    auth = lockstep(store=store, clients=[Client("demo", [CALLBACK], client_name="Demo"), Client("other", [CALLBACK], client_name="Other")])
    async with browser(auth.asgi(auth.protect(app))) as http:
        demo = await Flow(http, "demo").tokens("notes:read")
        other = await Flow(http, "other").tokens("notes:read notes:write")
        theirs = await Flow(http, "demo").tokens(user="bob")

        async def works(tokens: dict[str, str]) -> bool:
            return (await http.get("/mcp", headers=bearer(tokens["access_token"]))).status_code == 200

        apps = {one.client_id: one for one in await auth.connected_apps("alice")}
        assert set(apps) == {"demo", "other"}
        assert apps["other"].name == "Other" and list(apps["other"].scopes) == ["notes:read", "notes:write"]

        assert await auth.revoke_app("bob", apps["demo"].grant_id) is False
        assert await works(demo)
        assert await auth.revoke_app("alice", apps["demo"].grant_id) is True
        assert not await works(demo) and await works(other) and await works(theirs)
        assert [one.client_id for one in await auth.connected_apps("alice")] == ["other"]

        await auth.sign_out_everywhere("alice")
        assert not await works(other) and await works(theirs)
        assert await auth.connected_apps("alice") == []
        assert (await Flow(http, "other").refresh(other["refresh_token"])).json()["error"] == "invalid_grant"
        # Signing out ends what was, not what comes.
        assert await works(await Flow(http, "demo").tokens())


async def test_a_store_that_fails_is_an_error_and_not_a_success() -> None:
    class Broken(MemoryStore):
        def commit(self, write: object) -> str:  # type: ignore[override]
            raise StoreError("the disk is full")

    auth = lockstep(store=Broken())
    with pytest.raises(StoreError, match="try again"):
        await auth.sign_out_everywhere("alice")


async def test_a_store_whose_methods_are_coroutines() -> None:
    class Async(MemoryStore):
        async def load(self, keys):  # type: ignore[no-untyped-def,override]
            return super().load(keys)

        async def commit(self, write):  # type: ignore[no-untyped-def,override]
            return super().commit(write)

        async def list(self, subject):  # type: ignore[no-untyped-def,override]
            return super().list(subject)

    auth = lockstep(store=Async())
    async with browser(auth.asgi(auth.protect(app))) as http:
        tokens = await Flow(http).tokens()
        assert (await http.get("/mcp", headers=bearer(tokens["access_token"]))).status_code == 200
        assert len(await auth.connected_apps("alice")) == 1

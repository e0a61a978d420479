"""Every event is one line of JSON with a stable id, and no line holds a secret."""

import json
import logging
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from flow import CALLBACK, RING, Flow, bearer, browser, lockstep

from lockstep_oauth import Client, ExternalToken, explain, refusals

pytestmark = pytest.mark.anyio

SECRET = "a-client-secret-that-nobody-logs"
FOREIGN = "foreign-token-that-nobody-logs"


async def whole_flow(auth: Any) -> set[str]:
    """Drive everything that may go right or wrong, and return every secret that was ever in a message."""
    app = FastAPI()
    auth.install(app)

    @app.get("/notes", dependencies=[Depends(auth.require("notes:read"))])
    async def notes() -> None: ...

    @app.get("/write", dependencies=[Depends(auth.require("notes:write"))])
    async def write() -> None: ...

    async with browser(app) as http:
        metadata = {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_post"}
        registered = (await http.post("/register", json=metadata)).json()
        management = bearer(registered["registration_access_token"])
        await http.get(registered["registration_client_uri"], headers=management)

        flow = Flow(http)
        flow.secrets |= {registered["client_secret"], registered["registration_access_token"], SECRET, FOREIGN}
        await flow.page()
        code = await flow.code("notes:read")
        await flow.redeem(code, code_verifier="x" * 43)
        first = (await flow.redeem(code)).json()
        await http.get("/notes", headers=bearer(first["access_token"]))
        await http.get("/write", headers=bearer(first["access_token"]))
        await http.get("/notes", headers=bearer(first["refresh_token"]))
        await http.get("/notes", headers=bearer(first["access_token"][:-3] + "xyz"))
        await http.get("/notes", headers=bearer(FOREIGN))
        await http.get("/notes", params={"access_token": first["access_token"]}, headers=bearer(first["access_token"]))
        second = (await flow.refresh(first["refresh_token"])).json()
        await flow.refresh(first["refresh_token"])
        third = (await flow.refresh(second["refresh_token"])).json()
        await flow.refresh(first["refresh_token"])  # reuse: the grant ends
        await flow.refresh(third["refresh_token"])
        await flow.refresh("nonsense")
        await flow.redeem(code)
        await http.post("/token", data={"grant_type": "authorization_code", "code": code, "client_id": "confidential", "client_secret": SECRET + "x"})
        flow.secrets.add(SECRET + "x")
        other = await flow.tokens("notes:read", user="bob")
        await http.post("/revoke", data={"token": other["access_token"], "client_id": "demo"})
        await http.post("/introspect", data={"token": other["access_token"]}, auth=("confidential", SECRET))
        await http.post("/introspect", data={"token": other["access_token"]}, auth=("confidential", "wrong-secret-wrong-secret"))
        denied = await flow.decide(await flow.page("notes:read"), decision="deny")
        assert "error=access_denied" in denied.headers["location"]
        http.cookies.delete("session")
        cookies = {value for name, value in http.cookies.items()}
        await http.delete(registered["registration_client_uri"], headers=management)

    issued = await auth.issue_personal_token("alice", "laptop", ["notes:read"], 3600)
    await auth.revoke_personal_token("alice", issued.grant_id)
    await auth.sign_out_everywhere("alice")
    return flow.secrets | cookies | {issued.token}


def audited(**changes: Any) -> Any:
    clients = [Client("demo", [CALLBACK], client_name="Demo"), Client("confidential", [CALLBACK], client_secret=SECRET, introspects=True)]
    return lockstep(clients=clients, verify_token=lambda token: ExternalToken("robot", ["notes:read"]) if token == FOREIGN else None, **changes)


async def test_no_secret_is_in_any_log_line_or_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    secrets = await whole_flow(audited(on_event=events.append))
    # Requests of the test's own client log their URLs; those lines are not ours.
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("lockstep_oauth")]
    assert len(lines) > 20 and len(secrets) > 15
    everything = "\n".join([*lines, *map(repr, events), *(event.to_json() for event in events)])
    for secret in secrets:
        for part in (secret, secret[-24:]):
            assert part not in everything, f"a secret is in the log: {secret[:4]}…"
    assert RING not in everything and not any(part in everything for part in RING.split('"') if len(part) > 24)


async def test_an_event_is_one_line_of_json_with_a_stable_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="lockstep_oauth.audit")
    events: list[Any] = []
    await whole_flow(audited(on_event=events.append))
    lines = [record.getMessage() for record in caplog.records if record.name == "lockstep_oauth.audit"]
    assert [json.loads(line)["event"] for line in lines] == [event.id for event in events]
    assert not any("\n" in line for line in lines)
    seen = {event.id for event in events}
    assert {"consent.approved", "token.issued", "token.refreshed"} <= seen
    refused = [known for known in map(explain, seen) if known is not None]
    assert len(refused) > 5
    for refusal in refused:
        assert refusal.sentence and refusal.status >= 300


async def test_a_hook_that_raises_breaks_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def hook(event: Any) -> None:
        raise RuntimeError("the hook is broken")

    async with browser(lockstep(on_event=hook).asgi()) as http:
        assert (await Flow(http).tokens())["access_token"]
    assert "on_event raised for token.issued" in caplog.text


def test_refusals_can_be_explained() -> None:
    assert explain("no.such") is None
    for refusal in refusals():
        assert explain(refusal.id) == refusal

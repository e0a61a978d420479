"""Many at once: one winner, and one successor for all."""

import asyncio
import os

import pytest
from flow import Flow, bearer, browser, lockstep
from starlette.responses import PlainTextResponse

from lockstep_oauth.environment import seed

pytestmark = pytest.mark.anyio


async def app(scope: object, receive: object, send: object) -> None:
    await PlainTextResponse("in")(scope, receive, send)  # type: ignore[arg-type]


async def test_32_parallel_refreshes_get_the_same_successor(store: object) -> None:
    auth = lockstep(store=store)
    async with browser(auth.asgi(auth.protect(app))) as http:
        flow = Flow(http)
        for _ in range(3):
            tokens = await flow.tokens()
            answers = await asyncio.gather(*(flow.refresh(tokens["refresh_token"]) for _ in range(32)))
            assert {answer.status_code for answer in answers} == {200}
            assert len({(answer.json()["access_token"], answer.json()["refresh_token"]) for answer in answers}) == 1
            successor = answers[0].json()
            assert (await http.get("/mcp", headers=bearer(successor["access_token"]))).status_code == 200
            assert (await flow.refresh(successor["refresh_token"])).status_code == 200


async def test_64_parallel_redemptions_have_one_winner(store: object) -> None:
    auth = lockstep(store=store)
    async with browser(auth.asgi(auth.protect(app))) as http:
        flow = Flow(http)
        code = await flow.code()
        answers = await asyncio.gather(*(flow.redeem(code) for _ in range(64)))
        winners = [answer for answer in answers if answer.status_code == 200]
        assert len(winners) == 1
        assert {answer.status_code for answer in answers} == {200, 400}
        assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
        assert (await http.get("/mcp", headers=bearer(winners[0].json()["access_token"]))).status_code == 200


async def test_a_double_click_on_approve_gives_one_code(store: object) -> None:
    async with browser(lockstep(store=store).asgi()) as http:
        http.cookies.set("session", "alice")
        flow = Flow(http)
        page = await flow.page()
        answers = await asyncio.gather(*(flow.decide(page) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {303}
        assert len({answer.headers["location"] for answer in answers}) == 1


def test_seeds_are_never_repeated_not_even_after_a_fork() -> None:
    drawn = [seed() for _ in range(1000)]
    assert len(set(drawn)) == 1000 and {len(one) for one in drawn} == {32}
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(seed() for _ in range(100)))
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    ours = {seed() for _ in range(200)}
    assert not ours & {theirs[at : at + 32] for at in range(0, len(theirs), 32)}

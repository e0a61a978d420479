"""The driver: the same end in both colours, whatever breaks in the host's world."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Host, NoFetcher, authorize, check, code_of, handle, make_server, redeem, refresh, tokens

from lockstep_oauth._native import Allowed, Answer, Decision, RefreshQuestion, Server, SignInQuestion
from lockstep_oauth.drive import drive, drive_async
from lockstep_oauth.errors import FetchError, StoreError, Undecided
from lockstep_oauth.stores import MemoryStore, SQLiteStore
from lockstep_oauth.types import User

DOCUMENT = "https://client.example/document.json"


def run(exchange: Any, host: Any, colour: str) -> Any:
    return drive(exchange, host) if colour == "sync" else asyncio.run(drive_async(exchange, host))


colours = pytest.mark.parametrize("colour", ["sync", "async"])


@colours
def test_a_grant_from_sign_in_to_refresh(server: Server, host: Host, colour: str) -> None:
    code = code_of(run(authorize(server), host, colour))
    issued = run(redeem(server, code), host, colour)
    first = json.loads(issued.response.body)
    assert isinstance(run(check(server, first["access_token"]), host, colour), Allowed)
    second = run(refresh(server, first["refresh_token"]), host, colour)
    assert second.response.status == 200
    assert run(refresh(server, first["refresh_token"]), host, colour).response.body == second.response.body


class AsyncHost(Host):
    async def decide(self, question: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().decide(question)


def test_a_host_whose_decisions_are_coroutines_is_awaited(server: Server) -> None:
    answer = asyncio.run(drive_async(authorize(server), AsyncHost()))
    assert isinstance(answer, Answer)
    assert answer.response.status == 303


def test_the_blocking_driver_says_that_it_cannot_await(server: Server, caplog: Any) -> None:
    answer = drive(authorize(server), AsyncHost())
    assert isinstance(answer, Answer)
    assert answer.refusal == "server.unavailable"
    assert "use drive_async" in caplog.text


def test_a_store_of_coroutines_is_awaited(server: Server, host: Host) -> None:
    class Coroutines:
        async def load(self, keys: Any) -> Any:
            await asyncio.sleep(0)
            return host.store.load(keys)

        async def commit(self, write: Any) -> Any:
            await asyncio.sleep(0)
            return host.store.commit(write)

    code = code_of(drive(authorize(server), host))
    assert run(redeem(server, code), Host(store=Coroutines()), "async").response.status == 200


def test_an_async_host_waits_for_the_disk_in_another_thread(server: Server, tmp_path: Path) -> None:
    threads: set[str] = set()

    class Watched(SQLiteStore):
        def commit(self, write: Any) -> Any:
            threads.add(threading.current_thread().name)
            return super().commit(write)

    host = Host(store=Watched(tmp_path / "oauth.db"))
    code = code_of(run(authorize(server), host, "async"))
    assert run(redeem(server, code), host, "async").response.status == 200
    assert all(name.startswith("lockstep-sqlite") for name in threads)
    host.store.close()


class Broken:
    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def load(self, keys: Any) -> Any:
        raise self.failure

    def commit(self, write: Any) -> Any:
        raise self.failure


@colours
@pytest.mark.parametrize("failure", [StoreError("down"), RuntimeError("bug")])
def test_a_store_that_cannot_be_read_is_answered_503(server: Server, host: Host, colour: str, failure: Exception, caplog: Any) -> None:
    token = tokens(server, host)["access_token"]
    answer = run(check(server, token), Host(store=Broken(failure)), colour)
    assert (answer.response.status, answer.refusal) == (503, "server.unavailable")
    assert dict(answer.response.headers)[b"retry-after"] == b"1"
    assert str(failure) in caplog.text


@colours
@pytest.mark.parametrize("broken", [[], None, ["x"], ()])
def test_a_store_that_answers_nonsense_is_answered_503(server: Server, host: Host, colour: str, broken: Any, caplog: Any) -> None:
    class Nonsense:
        def load(self, keys: Any) -> Any:
            return broken

    answer = run(check(server, tokens(server, host)["access_token"]), Host(store=Nonsense()), colour)
    assert answer.response.status == 503


@colours
@pytest.mark.parametrize("broken", ["maybe", None, RuntimeError("lost")])
def test_a_commit_of_unknown_outcome_is_looked_up_and_not_repeated_blindly(server: Server, colour: str, broken: Any, caplog: Any) -> None:
    """The write was applied and its acknowledgement was lost: the exchange finds its own stamp and answers as if nothing had happened."""

    class Lossy(MemoryStore):
        losing = False
        commits = 0

        def commit(self, write: Any) -> Any:
            self.commits += 1
            outcome = super().commit(write)
            if self.losing:
                self.losing = False
                if isinstance(broken, Exception):
                    raise broken
                return broken
            return outcome

    host = Host(store=Lossy())
    code = code_of(run(authorize(server), host, colour))
    host.store.losing, host.store.commits = True, 0
    answer = run(redeem(server, code), host, colour)
    assert answer.response.status == 200
    assert host.store.commits == 1


@colours
def test_a_store_that_never_settles_ends_in_503(server: Server, colour: str, caplog: Any) -> None:
    class Stubborn(MemoryStore):
        refusing = False
        commits = 0

        def commit(self, write: Any) -> Any:
            self.commits += 1
            return "conflict" if self.refusing else super().commit(write)

    host = Host(store=Stubborn())
    code = code_of(run(authorize(server), host, colour))
    host.store.refusing, host.store.commits = True, 0
    answer = run(redeem(server, code), host, colour)
    assert answer.response.status == 503
    assert host.store.commits == 4


@colours
@pytest.mark.parametrize(("failure", "logged"), [(RuntimeError("bug in sign_in"), True), (Undecided("not now"), False)])
def test_a_decision_that_fails_is_answered_503(server: Server, colour: str, failure: Exception, logged: bool, caplog: Any) -> None:
    class Undecidable(Host):
        def decide(self, question: Any) -> Any:
            raise failure

    answer = run(authorize(server), Undecidable(), colour)
    assert answer.refusal == "server.unavailable"
    assert (str(failure) in caplog.text) == logged


@colours
def test_a_decision_that_answers_another_question_is_logged_and_answered_503(server: Server, colour: str, caplog: Any) -> None:
    class Confused(Host):
        def decide(self, question: Any) -> Any:
            return Decision.built_in()

    assert run(authorize(server), Confused(), colour).refusal == "server.unavailable"
    assert "does not answer that question" in caplog.text


@colours
def test_budgets_are_the_drivers_business(colour: str) -> None:
    server, host = make_server(client_documents={"per_minute": 2}), Host()
    refusals = [run(authorize(server, DOCUMENT), host, colour).refusal for _ in range(3)]
    assert refusals[0] == refusals[1] != refusals[2]
    assert host.questions == []


@colours
@pytest.mark.parametrize(("failure", "logged"), [(FetchError("timed out"), False), (RuntimeError("bug"), True)])
def test_a_fetch_that_fails_is_the_cores_to_judge(server: Server, colour: str, failure: Exception, logged: bool, caplog: Any) -> None:
    class Failing:
        def fetch(self, request: Any, admit: Any) -> Any:
            raise failure

        async def fetch_async(self, request: Any, admit: Any) -> Any:
            raise failure

    answer = run(authorize(server, DOCUMENT), Host(fetcher=Failing()), colour)
    assert answer.refusal == "client.document.unreachable"
    assert str(failure) in answer.events[0].to_json()
    assert (str(failure) in caplog.text) == logged


@colours
def test_a_client_document_is_fetched_and_kept(server: Server, host: Host, colour: str) -> None:
    document = {"client_id": DOCUMENT, "client_name": "Client", "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none"}
    fetched: list[str] = []

    class One(NoFetcher):
        def fetch(self, request: Any, admit: Any) -> Any:
            fetched.append(request.url)
            return 200, [(b"Content-Type", b"application/json")], json.dumps(document).encode()

        async def fetch_async(self, request: Any, admit: Any) -> Any:
            return self.fetch(request, admit)

    host.fetcher = One()
    for _ in range(3):
        code = code_of(run(authorize(server, DOCUMENT), host, colour))
        assert run(redeem(server, code, DOCUMENT), host, colour).response.status == 200
    assert fetched == [DOCUMENT]


@colours
def test_an_interrupt_is_not_swallowed(server: Server, host: Host, colour: str) -> None:
    token = tokens(server, host)["access_token"]
    for interrupt in (KeyboardInterrupt, asyncio.CancelledError):
        with pytest.raises(interrupt):
            run(check(server, token), Host(store=Broken(interrupt())), colour)


@colours
def test_the_host_may_refuse_a_refresh(server: Server, colour: str) -> None:
    class Strict(Host):
        def decide(self, question: Any) -> Any:
            if isinstance(question, SignInQuestion):
                return Decision.approve(User("alice"))
            assert isinstance(question, RefreshQuestion)
            assert (question.subject, question.client_id) == ("alice", "demo")
            return Decision.refuse()

    server, host = make_server(ask_refresh=True), Strict()
    answer = run(refresh(server, tokens(server, host)["refresh_token"]), host, colour)
    assert answer.response.status == 400


def test_nothing_is_logged_when_nothing_is_wrong(server: Server, host: Host, caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG, "lockstep_oauth"):
        tokens(server, host)
        drive(handle(server, "GET", "/nowhere"), host)
    assert caplog.records == []

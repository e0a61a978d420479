"""One database, served by a Python host and a Node host at once: whole journeys that change hosts at every step, and races.

    python conformance/differential/journeys.py NODE [--clients 8] [--rotations 50]

NODE has SQLite: 22.13 or newer. Both hosts have the keys, the clock, the entropy and the SQLite store that they have in earnest.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from random import SystemRandom
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from hosts import Host, both  # noqa: E402
from life import FORM, JSON, SECRETS, Life, basic, form  # noqa: E402
from serving import stop_on_sigterm  # noqa: E402
from wire import Answer, Request, send  # noqa: E402
from world import ISSUER, MCP, WORLDS, description  # noqa: E402

from blackbox.jose import b64, s256  # noqa: E402

REDIRECT = "https://client.example/cb"
RANDOM = SystemRandom()


class Wrong(Exception):
    """A host did not do what it must."""


def hold(what: str, held: bool, *about: object) -> None:
    if not held:
        raise Wrong(f"{what}: {' '.join(map(str, about))}")


def ask(host: Host, request: Request) -> Answer:
    answer = send(host.port, request.as_bytes("-"), request.method)
    hold(f"{host.name} answers", answer is not None, request.purpose)
    assert answer is not None
    return answer


def post(host: Host, path: str, pairs: list[tuple[str, str]], *headers: tuple[bytes, bytes]) -> Answer:
    return ask(host, Request(path, b"POST", path.encode(), None, (FORM, *headers), form(pairs)))


def told(answer: Answer, status: int = 200) -> Any:
    hold(f"an answer with {status}", answer.status == status, answer.status, answer.body[:300])
    return json.loads(answer.body) if answer.body else None


# --- The steps of a journey: each takes the host that it happens at ----------------------------------------------


def page(host: Host, life: Life, client: str, verifier: str, user: str, redirect: str = REDIRECT, scope: str = "notes:read offline_access") -> dict[str, Any]:
    pairs = [("response_type", "code"), ("client_id", client), ("redirect_uri", redirect), ("state", "s"), ("scope", scope), ("resource", MCP)]
    query = form([*pairs, ("code_challenge", s256(verifier)), ("code_challenge_method", "S256")])
    answer = ask(host, Request("authorize", b"GET", b"/authorize", query, ((b"X-User", user.encode()),)))
    before = len(life.pages)
    life.shown(answer, client, redirect, verifier, user)
    hold("a consent page", len(life.pages) > before, answer.status, answer.header("location"), answer.body[-300:])
    return dict(life.pages.pop())


def approve(host: Host, shown: dict[str, Any]) -> str:
    pairs = [*shown["hidden"], *(("scope", scope) for scope in shown["scopes"]), ("decision", "approve")]
    headers = ((b"Cookie", shown["cookie"].encode()), (b"X-User", shown["user"].encode()), (b"Origin", ISSUER.encode()))
    answer = post(host, shown["action"], pairs, *headers)
    location = answer.header("location") or ""
    hold("a code", answer.status == 303 and "code=" in location, answer.status, location, answer.body[-300:])
    return location.partition("code=")[2].partition("&")[0]


def redeem(host: Host, client: str, code: str, verifier: str, redirect: str = REDIRECT) -> Answer:
    pairs = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect), ("code_verifier", verifier), ("client_id", client)]
    return post(host, "/token", pairs)


def refresh(host: Host, client: str, token: str) -> Answer:
    return post(host, "/token", [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)])


def call(host: Host, token: str, path: bytes = b"/mcp") -> Answer:
    return ask(host, Request("bearer", b"GET", path, None, ((b"Authorization", f"Bearer {token}".encode()),)))


def introspect(host: Host, token: str) -> bool:
    return bool(told(post(host, "/introspect", [("token", token)], basic("confidential", SECRETS["confidential"])))["active"])


def account(host: Host, path: str, user: str) -> Any:
    return told(ask(host, Request("account", b"POST", path.encode(), None, ((b"X-User", user.encode()),))))


def connected(hosts: list[Host], life: Life, user: str, client: str = "web") -> dict[str, str]:
    """A whole authorization, each step at another host than the one before."""
    turns, verifier = changing(hosts), b64(RANDOM.randbytes(32))
    code = approve(next(turns), page(next(turns), life, client, verifier, user))
    issued: dict[str, str] = told(redeem(next(turns), client, code, verifier))
    return issued


def changing(hosts: list[Host]) -> Iterator[Host]:
    first = RANDOM.randrange(2)
    return cycle([hosts[first], hosts[1 - first]])


# --- Journeys ----------------------------------------------------------------------------------------------------


def wandering(hosts: list[Host], life: Life) -> None:
    """What one host issued, the other knows, refreshes, lists and ends."""
    for number in range(12):
        user = f"wanderer{number}"
        issued = connected(hosts, life, user)
        for host, _ in zip(changing(hosts), range(6)):
            issued = told(refresh(host, "web", issued["refresh_token"]))
            for one in hosts:
                hold("the other host knows the user", told(call(one, issued["access_token"]))["subject"] == user)
                hold("introspection knows the token", introspect(one, issued["access_token"]))
        lists = [account(host, "/account", user) for host in hosts]
        hold("both list the same grants", lists[0] == lists[1] and len(lists[0][0]) == 1, lists)
        ending, other = (hosts[number % 2], hosts[1 - number % 2])
        match number % 3:
            case 0:
                post(ending, "/revoke", [("token", issued["refresh_token"]), ("client_id", "web")])
            case 1:
                account(ending, "/account/sign-out", user)
            case _:
                hold("the app is disconnected", account(ending, "/account/disconnect", user) == [True])
        hold("the other host refuses the access token", call(other, issued["access_token"]).status == 401)
        hold("the other host refuses the refresh token", refresh(other, "web", issued["refresh_token"]).status == 400)
        hold("introspection knows that it has ended", not introspect(other, issued["access_token"]))


def personal(hosts: list[Host], life: Life) -> None:
    """A personal token of one host opens the other."""
    for host, other in (hosts, hosts[::-1]):
        token, grant, _ = account(host, "/account/personal", "person")
        hold("the other host knows it", told(call(other, token))["grant_id"] == grant)
        account(other, "/account/sign-out", "person")
        hold("and its end", call(host, token).status == 401)


def registering(hosts: list[Host], life: Life) -> None:
    """A client that registered at one host is a client of the other, changed there and deleted there."""
    for host, other in (hosts, hosts[::-1]):
        metadata = {"redirect_uris": ["https://made.example/cb"], "client_name": "Größe <b>", "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"]}
        made = told(ask(host, Request("register", b"POST", b"/register", None, (JSON,), json.dumps(metadata).encode())), 201)
        at, key = urlsplit(made["registration_client_uri"]).path.encode(), (b"Authorization", f"Bearer {made['registration_access_token']}".encode())
        verifier = b64(RANDOM.randbytes(32))
        code = approve(host, page(other, life, made["client_id"], verifier, "registrar", "https://made.example/cb"))
        issued = told(redeem(other, made["client_id"], code, verifier, "https://made.example/cb"))
        changed = {"client_id": made["client_id"], **metadata, "client_name": "Changed"}
        told(ask(other, Request("manage", b"PUT", at, None, (key, JSON), json.dumps(changed).encode())))
        read = [told(ask(one, Request("manage", b"GET", at, None, (key,)))) for one in hosts]
        hold("both read the same", read[0]["client_name"] == "Changed" and {**read[0], "registration_access_token": ""} == {**read[1], "registration_access_token": ""}, read)
        hold("it is deleted", ask(other, Request("manage", b"DELETE", at, None, (key,))).status == 204)
        hold("its tokens are refused at the first", call(host, issued["access_token"]).status == 401)


def one_code(hosts: list[Host], life: Life) -> None:
    """One code, redeemed through both hosts at once: one winner, and it keeps its tokens."""
    with ThreadPoolExecutor(6) as pool:
        for number in range(25):
            verifier, user = b64(RANDOM.randbytes(32)), f"racer{number}"
            code = approve(hosts[number % 2], page(hosts[1 - number % 2], life, "web", verifier, user))
            answers = list(pool.map(lambda at: redeem(hosts[at % 2], "web", code, verifier), range(6)))
            winners = [answer for answer in answers if answer.status == 200]
            hold("exactly one redemption wins", len(winners) == 1 and all(answer.status == 400 for answer in answers if answer not in winners), [a.status for a in answers])
            for host in hosts:
                hold("the winner keeps its access token", call(host, told(winners[0])["access_token"]).status == 200)
            told(refresh(hosts[number % 2], "web", told(winners[0])["refresh_token"]))


def rotations(hosts: list[Host], life: Life, database: Path, clients: int, times: int) -> int:
    """Clients that refresh at both hosts at once, over and over: one successor a generation, and nobody is locked out."""
    first = {f"rotator{number}": connected(hosts, life, f"rotator{number}") for number in range(clients)}

    def rotate(user: str) -> set[str]:
        token, seen = first[user]["refresh_token"], {first[user]["refresh_token"]}
        with ThreadPoolExecutor(4) as together:
            for host, number in zip(changing(hosts), range(times)):
                order = [host, *(other for other in hosts if other is not host)]
                answers = list(together.map(lambda one: refresh(one, "web", token), order * 2))
                successors = {told(answer)["refresh_token"] for answer in answers}
                hold(f"one successor for generation {number} of {user}", len(successors) == 1, successors)
                (token,) = successors
                hold("a successor is new", token not in seen)
                seen.add(token)
        hold("the last access token is good at both", all(call(host, told(answers[0])["access_token"]).status == 200 for host in hosts))
        return seen

    with ThreadPoolExecutor(clients) as pool:
        generations = list(pool.map(rotate, first))
    hold("every client has had every generation", all(len(seen) == times + 1 for seen in generations))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as stored:
        (table,) = (name for (name,) in stored.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"))
        grants = [json.loads(value) for (value,) in stored.execute(f"SELECT value FROM {table} WHERE key LIKE '%/grant/%'")]
    numbers = sorted(grant["g"]["n"] for grant in grants if grant["su"] in first)
    hold("the database has counted as many generations", numbers == [times + 1] * clients, numbers)
    return clients * times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("node")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rotations", type=int, default=50)
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="lockstep-journeys-") as directory:
        database = Path(directory) / "oauth.db"
        world = {**description("opaque"), "database": str(database)}
        world["options"] = {**world["options"], "registration": {"mode": "open", "per_hour": 1000}}
        with both(arguments.node, world) as hosts:
            life = Life(RANDOM, WORLDS["opaque"]["options"])  # type: ignore[arg-type]
            journeys: list[Callable[[], object]] = [
                lambda: wandering(hosts, life),
                lambda: personal(hosts, life),
                lambda: registering(hosts, life),
                lambda: one_code(hosts, life),
                lambda: rotations(hosts, life, database, arguments.clients, arguments.rotations),
            ]
            for name, journey in zip(("wandering", "personal", "registering", "one_code", "rotations"), journeys):
                began = time.monotonic()
                try:
                    journey()
                    print(f"ok   {name}: {(globals()[name].__doc__ or '').strip()} ({time.monotonic() - began:.1f} s)", flush=True)
                except Wrong as wrong:
                    failed = True
                    print(f"FAIL {name}: {wrong}", flush=True)
    print("journeys: FAILED" if failed else f"journeys: one database, two hosts, {arguments.clients} clients with {arguments.rotations} rotations: held")
    return 1 if failed else 0


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())

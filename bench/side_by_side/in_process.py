"""One side without sockets, in a process of its own: rounds of requests on command, CPU per request as the answer.

Each side has its own process so that neither pays for the other's heap. The parent alternates between them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from .requests import Request, Response
from .serve import pin
from .sides import App, Ours, PyJwtVerifier, Sdk, empty

ORIGIN = "http://127.0.0.1:8787"


class Wire:
    """The server's end of one ASGI call."""

    __slots__ = ("messages", "parts")

    def __init__(self, body: bytes) -> None:
        self.parts = [{"type": "http.request", "body": body, "more_body": False}]
        self.messages: list[Any] = []

    async def receive(self) -> Any:
        return self.parts.pop() if self.parts else {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.messages.append(message)

    def response(self) -> Response:
        start, *rest = self.messages
        return Response(start["status"], [tuple(pair) for pair in start["headers"]], b"".join(part.get("body", b"") for part in rest))


async def run(app: App, requests: Iterable[Request]) -> tuple[float, list[Response]]:
    """Call the app once for each request; return CPU microseconds per request, and the responses."""
    calls = [(request.scope(), Wire(request.body)) for request in requests]
    gc.collect()
    gc.freeze()
    before = time.process_time_ns()
    for scope, wire in calls:
        await app(scope, wire.receive, wire.send)
    spent = time.process_time_ns() - before
    gc.unfreeze()
    return spent / 1000 / len(calls), [wire.response() for _, wire in calls]


class Worker:
    """One side, ready for rounds."""

    def __init__(self, name: str) -> None:
        self.side = Ours(ORIGIN) if name == "lockstep" else Sdk(ORIGIN)
        self.app = self.side.endpoints()
        self.guarded = self.side.protected()
        self.jwts: dict[str, tuple[App, str]] = {}

    async def prepare(self, tokens: dict[str, Any] | None) -> dict[str, Any]:
        """Register the client; make the JWTs on our side, and take them over on the other."""
        _, (registered,) = await run(self.app, [self.side.flow.register()])
        self.side.flow.client_id = str(registered.expect(201).json()["client_id"])
        made: dict[str, Any] = {}
        if tokens is None:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

            for algorithm in ("ES256", "EdDSA"):
                ours = Ours(ORIGIN, algorithm)
                app = ours.endpoints()
                _, (registered,) = await run(app, [ours.flow.register()])
                ours.flow.client_id = str(registered.expect(201).json()["client_id"])
                _, (authorized,) = await run(app, [ours.flow.authorize()])
                _, (redeemed,) = await run(app, [ours.flow.redeem(authorized.code())])
                token, _ = redeemed.tokens()
                self.jwts[algorithm] = (ours.protected(), token)
                pem = ours.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
                made[algorithm] = {"token": token, "key": pem}
        else:
            assert isinstance(self.side, Sdk)
            for algorithm, given in tokens.items():
                other = Sdk(ORIGIN)
                from cryptography.hazmat.primitives.serialization import load_pem_public_key

                key = load_pem_public_key(given["key"].encode())
                other.verifier = PyJwtVerifier(key, algorithm, ORIGIN, other.flow.resource)
                self.jwts[algorithm] = (other.protected(), given["token"])
        return made

    async def round(self, count: int) -> dict[str, float]:
        """Run the flow `count` times, one kind of request after the other."""
        flow, spent = self.side.flow, {}
        spent["authorize"], answers = await run(self.app, [flow.authorize() for _ in range(count)])
        codes = [answer.code() for answer in answers]
        spent["redeem"], answers = await run(self.app, [flow.redeem(code) for code in codes])
        first = [answer.tokens() for answer in answers]
        spent["refresh"], answers = await run(self.app, [flow.refresh(refresh) for _, refresh in first])
        second = [answer.tokens() for answer in answers]
        if len({*first, *second}) != 2 * count:
            raise SystemExit("bench: a token was issued twice")
        spent["bearer"], answers = await run(self.guarded, [flow.bearer(access) for access, _ in second])
        for algorithm, (guarded, token) in self.jwts.items():
            spent[f"bearer {algorithm}"], more = await run(guarded, [flow.bearer(token) for _ in range(count)])
            answers += more
        spent["empty"], more = await run(empty, [flow.empty() for _ in range(count)])
        for answer in answers + more:
            if answer.expect(200).body != b'{"ok":true}':
                raise SystemExit("bench: not the protected route's answer")
        _, (refused,) = await run(self.guarded, [flow.bearer(second[0][0][:-2] + "AA")])
        refused.expect(401)
        return spent


async def main() -> None:
    """Serve commands, one line of JSON each."""
    pin(0)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        answer = await (worker.prepare(command["tokens"]) if "tokens" in command else worker.round(command["count"]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

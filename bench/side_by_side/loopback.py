"""Both sides behind uvicorn, asked over loopback by a client in this, another, process.

All servers run at once and are asked in turns, so that whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

from .requests import Flow, Request, Response
from .serve import CPU, LOOPS, pin

CONNECTIONS = 16
COUNT, ROUNDS = 240, 9


class Connection:
    """One kept-alive connection with one request on the way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.index = 0

    def start(self, index: int, wire: bytes) -> None:
        """Send a request."""
        self.index, self.received = index, b""
        self.socket.sendall(wire)

    def advance(self) -> bytes | None:
        """Receive; return the whole response once it is there."""
        part = self.socket.recv(65536)
        if not part:
            raise SystemExit("bench: the server closed a connection")
        self.received += part
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        if at < 0:
            # No body, or one in chunks.
            done = b"transfer-encoding" not in lower or body.endswith(b"0\r\n\r\n")
            return self.received if done else None
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0])
        return self.received if len(body) >= length else None


class Client:
    """A load client: some connections, each with one request on the way."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.connections = [Connection(port) for _ in range(CONNECTIONS)]
        self.by_file = {connection.socket.fileno(): connection for connection in self.connections}
        self.poll = select.epoll()
        for file in self.by_file:
            self.poll.register(file, select.EPOLLIN)

    def send(self, requests: list[Request]) -> tuple[float, list[Response]]:
        """Send all requests; return seconds, and the responses in the same order."""
        wires = [request.wire(self.host) for request in requests]
        answers: list[bytes] = [b""] * len(wires)
        sent = 0
        begun = time.perf_counter()
        for connection in self.connections[: len(wires)]:
            connection.start(sent, wires[sent])
            sent += 1
        left = len(wires)
        while left:
            for file, _ in self.poll.poll(30):
                connection = self.by_file[file]
                whole = connection.advance()
                if whole is not None:
                    answers[connection.index] = whole
                    left -= 1
                    if sent < len(wires):
                        connection.start(sent, wires[sent])
                        sent += 1
        return time.perf_counter() - begun, [parse(answer) for answer in answers]


def parse(answer: bytes) -> Response:
    """Read one response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    pairs = [line.partition(b":")[::2] for line in lines]
    return Response(int(status.split(b" ", 2)[1]), [(name.lower(), value.strip()) for name, value in pairs], body)


@dataclass
class Server:
    """One side behind uvicorn, and what was measured of it."""

    name: str
    loop: str
    port: int
    process: subprocess.Popen[bytes]
    client: Client
    flow: Flow
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def start(cls, name: str, loop: str) -> Server:
        """Start a server and register the client at it."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-m", "side_by_side.serve", name, str(port), loop])
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    raise SystemExit(f"bench: the {name} server did not start") from None
                time.sleep(0.05)
        server = cls(name, loop, port, process, Client(port), Flow(f"http://127.0.0.1:{port}/mcp"))
        _, (registered,) = server.client.send([server.flow.register()])
        server.flow.client_id = str(registered.expect(201).json()["client_id"])
        return server

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()

    def measure(self, kind: str, requests: list[Request]) -> list[Response]:
        """Send requests of one kind and note requests per second and the server's CPU."""
        before = self._cpu()
        seconds, answers = self.client.send(requests)
        self.spent[kind].append((self._cpu() - before) / 1000 / len(requests))
        self.rates[kind].append(len(requests) / seconds)
        return answers

    def _cpu(self) -> int:
        _, (answer,) = self.client.send([Request("GET", CPU)])
        return int(answer.expect(200).body)


def rounds(servers: list[Server]) -> None:
    """Run the whole flow on every server, one kind of request after the other, the servers taking turns in each."""
    for turn in range(ROUNDS + 1):
        order = servers if turn % 2 else servers[::-1]
        held: dict[int, list[tuple[str, str]]] = {}
        codes: dict[int, list[str]] = {}
        for server in order:
            codes[server.port] = [answer.code() for answer in server.measure("authorize", [server.flow.authorize()] * COUNT)]
        for server in order:
            answers = server.measure("redeem", [server.flow.redeem(code) for code in codes[server.port]])
            held[server.port] = [answer.tokens() for answer in answers]
        for server in order:
            answers = server.measure("refresh", [server.flow.refresh(refresh) for _, refresh in held[server.port]])
            held[server.port] = [answer.tokens() for answer in answers]
        for server in order:
            for answer in server.measure("bearer", [server.flow.bearer(access) for access, _ in held[server.port]]):
                answer.expect(200)
        for server in order:
            blank = {"client_secret": ""} if server.name == "sdk" else {}  # its handler refuses public clients without it
            for answer in server.measure("revoke", [server.flow.revoke(refresh, **blank) for _, refresh in held[server.port]]):
                answer.expect(200)
        for server in order:
            for answer in server.measure("register", [server.flow.register()] * COUNT):
                answer.expect(201)
        for server in order:
            for answer in server.measure("metadata", [server.flow.metadata()] * COUNT):
                answer.expect(200)
        for server in order:
            for answer in server.measure(CONTROL, [server.flow.empty()] * COUNT):
                answer.expect(200)
        if turn == 0:  # warming up
            for server in servers:
                server.rates.clear()
                server.spent.clear()


CONTROL = "empty route"
KINDS = ("authorize", "redeem", "refresh", "bearer", "revoke", "register", "metadata", CONTROL)


def measure() -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Return requests per second and CPU microseconds by loop, side and kind."""
    found: dict[str, dict[str, dict[str, tuple[float, float]]]] = {}
    everywhere = os.sched_getaffinity(0)
    for loop in LOOPS:
        servers: list[Server] = []
        try:
            servers += [Server.start("lockstep", loop)]
            servers += [Server.start("sdk", loop)]
            pin(-1)
            rounds(servers)
        finally:
            os.sched_setaffinity(0, everywhere)
            for server in servers:
                server.stop()
        found[loop] = {
            server.name: {kind: (statistics.median(server.rates[kind]), statistics.median(server.spent[kind])) for kind in KINDS}
            for server in servers
        }
    return found

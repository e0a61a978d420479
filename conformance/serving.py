"""Starts an example server for a check, and stops it: a free port, its own database, its own environment.

    with example("python", EXAMPLE_ISSUER_PATH="/auth") as served:
        ...  # served.base, served.issuer, served.log

The server on Node runs on LOCKSTEP_NODE, or on the `node` of the path: one that has SQLite (22.13 or newer).
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

from demo import SERVERS, free_port, wait_until_ready  # noqa: E402  (what `make demo` starts the servers with)

HOSTS = tuple(SERVERS)


@dataclass(frozen=True)
class Served:
    """The running example."""

    base: str
    issuer: str
    log: Path

    @property
    def mcp(self) -> str:
        return self.base + "/mcp"

    def wrote(self, characters: int = 6000) -> str:
        """The end of what the server wrote: worth a look when something failed."""
        return self.log.read_text(errors="replace")[-characters:]


def command(host: str) -> list[str]:
    """What starts the example server of a host."""
    program, *rest = SERVERS[host][1]
    return [os.environ.get("LOCKSTEP_NODE", program) if host == "node" else program, *rest]


@contextlib.contextmanager
def example(host: str, **environment: str) -> Iterator[Served]:
    """The example server of a host, ready to answer; stopped at the end, whatever happens in between."""
    with tempfile.TemporaryDirectory(prefix="lockstep-check-") as directory:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        served = Served(base, base + environment.get("EXAMPLE_ISSUER_PATH", ""), Path(directory) / "server.log")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EXAMPLE_", "LOCKSTEP_"))}
        settings = {**inherited, "PORT": str(port), "LOCKSTEP_DB": f"{directory}/oauth.db", **environment}
        with served.log.open("wb") as log:
            server = subprocess.Popen(command(host), cwd=directory, env=settings, stdout=log, stderr=log)
        try:
            wait_until_ready(server, base)
            yield served
        except BaseException as error:
            if not isinstance(error, (KeyboardInterrupt, SystemExit)):
                print(f"--- what the server wrote ---\n{served.wrote()}", file=sys.stderr)
            raise
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def stop_on_sigterm() -> None:
    """Lets a SIGTERM unwind, so that the server and other children are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

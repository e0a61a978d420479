"""Walks generated journeys against the Python example over HTTP, and then against a toy server that is broken in one way after
another, where they must fail: run.py FUZZ_A_HOST [JOURNEYS]."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))

from blackbox.tests.tiny_server import TinyServer  # noqa: E402
from serving import example, stop_on_sigterm  # noqa: E402

WINDOW = 3
# A flaw of the toy server, and the invariant that must notice it.
FLAWS = {
    "code_twice": "a code makes one family",
    "spends_on_failure": "a right redemption is answered",
    "any_client": "a wrong verifier, client or redirect gets nothing",
    "no_pkce": "a wrong verifier, client or redirect gets nothing",
    "no_iss": "the answer names its issuer",
    "double_code": "an approval is answered with one code",
    "status_307": "an answer is a redirect that forgets the form",
    "forks": "",  # more than one: the first use outside the order finds it
    "strict": "a retry inside the window is answered",
    "no_reuse_revocation": "reuse outside the window ends the grant",
    "no_no_store": "no answer of the token endpoint is cached",
    "bad_description": "a refusal is an error of OAuth 2.1",
    "crash": "no request breaks the server",
}


class Toy:
    """The toy server on a thread of its own."""

    def __init__(self, flaws: set[str]) -> None:
        fixture = json.loads((ROOT / "examples/python-fastapi-mcp/fixture.json").read_text())
        self.server, self.loop = TinyServer(fixture, flaws, retry_window=WINDOW), asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def __enter__(self) -> str:
        return asyncio.run_coroutine_threadsafe(self.server.__aenter__(), self.loop).result().base

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def end(self) -> None:
        await self.server.__aexit__()
        open_connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in open_connections:
            connection.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


def walk(program: str, base: str, journeys: int, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program, base, str(WINDOW), str(journeys), *options], capture_output=True, text=True, timeout=240, check=False
    )


def main() -> int:
    stop_on_sigterm()
    program, journeys = str(Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) > 2 else 60
    wrong = []
    with example("python", EXAMPLE_RETRY_WINDOW=str(WINDOW)) as served:
        done = walk(program, served.base, journeys)
        print(f"the Python example: {done.stdout.strip() or done.stderr.strip()}", flush=True)
        wrong += ["the Python example"] if done.returncode else []
    with Toy(set()) as base:
        done = walk(program, base, journeys, "--no-strangers")
        print(f"a toy server: {done.stdout.strip()}", flush=True)
        wrong += ["a toy server without a flaw"] if done.returncode else []
    for flaw, invariant in FLAWS.items():
        with Toy({flaw}) as base:
            done = walk(program, base, 60, "--no-strangers", "--no-waits")
            noticed = done.returncode == 1 and "BROKEN" in done.stdout and invariant in done.stdout
            print(f"a toy server with {flaw}: {'noticed' if noticed else 'NOT NOTICED ' + done.stdout}", flush=True)
            wrong += [] if noticed else [f"a toy server with {flaw}"]
    print(f"fuzz-a-host: {', '.join(wrong)} went wrong" if wrong else "fuzz-a-host: as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

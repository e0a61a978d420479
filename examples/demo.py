"""Run the example servers and let the official MCP SDKs go through the whole life of a connection with each.

    python examples/demo.py                  start a server, run all clients, stop it, and the next; exit code 0 if all held
    python examples/demo.py python           only the Python SDK (also: typescript, typescript-v1)
    python examples/demo.py --server node    only against the server on Node (also: python)
    python examples/demo.py --serve          only the server on Python, on PORT (default 8787), until Ctrl-C
    python examples/demo.py --serve-node     the same with the server on Node

The server on Python needs the packages of python-fastapi-mcp/requirements.txt and lockstep-oauth, the one on Node `npm ci`
in node-express-mcp and lockstep-oauth there, the TypeScript clients `npm ci` in clients/typescript. `make demo`,
`make serve` and `make serve-node` take care of it all.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVERS = {
    "python": ("Python, FastAPI", [sys.executable, str(HERE / "python-fastapi-mcp" / "server.py")]),
    "node": ("Node, Express", ["node", str(HERE / "node-express-mcp" / "server.mjs")]),
}
SERVER = SERVERS["python"][1]
TYPESCRIPT = ["node", str(HERE / "clients" / "typescript" / "drive.mjs")]
CLIENTS = {
    "python": ("Python SDK 2 (mcp)", [sys.executable, str(HERE / "clients" / "python" / "drive.py")]),
    "typescript": ("TypeScript SDK 2 (@modelcontextprotocol/client)", TYPESCRIPT),
    "typescript-v1": ("TypeScript SDK 1 (@modelcontextprotocol/sdk)", [*TYPESCRIPT, "--v1"]),
}
CLIENT_SECONDS = 120


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_until_ready(server: subprocess.Popen[bytes], base: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended at once, with exit code {server.returncode}")
        try:
            with urllib.request.urlopen(base + "/.well-known/oauth-protected-resource/mcp", timeout=2):
                return
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the server runs, but its metadata document answers {error.code}") from None
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server was not ready after {seconds:.0f} seconds")


def demo(servers: list[str], clients: list[str]) -> int:
    of_node = [name for name in (*servers, *clients) if name.startswith(("node", "typescript"))]
    if of_node and not shutil.which("node"):
        print(f"Node.js 20 or newer is needed for {', '.join(of_node)}", file=sys.stderr)
        return 2
    results = {SERVERS[name][0]: drive(*SERVERS[name], clients) for name in servers}
    print("=== Summary ===")
    for title, lines in results.items():
        print(f"Server: {title}", *lines, sep="\n    ")
    return 1 if any("FAILED" in line for lines in results.values() for line in lines) else 0


def drive(title: str, command: list[str], clients: list[str]) -> list[str]:
    """Start one server, run the clients, stop it; return a line about each."""
    results: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lockstep-demo-") as directory:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        log_path = Path(directory) / "server.log"
        with log_path.open("wb") as log:
            environment = {**os.environ, "PORT": str(port), "LOCKSTEP_DB": f"{directory}/oauth.db"}
            server = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
        try:
            wait_until_ready(server, base)
            print(f"The example server ({title}) runs at {base} (process {server.pid}).\n", flush=True)
            for name in clients:
                client, driver = CLIENTS[name]
                began = time.monotonic()
                try:
                    code = subprocess.run([*driver, base], check=False, timeout=CLIENT_SECONDS).returncode
                    outcome = "every step held" if code == 0 else f"FAILED (exit code {code})"
                except subprocess.TimeoutExpired:
                    outcome = f"FAILED (not done after {CLIENT_SECONDS} seconds)"
                results.append(f"{client:50} {outcome}, {time.monotonic() - began:.1f} s")
                print(flush=True)
        except RuntimeError as error:
            results.append(f"{'The example server':50} FAILED: {error}")
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        if any("FAILED" in line for line in results):
            print("--- what the server wrote ---\n" + log_path.read_text(errors="replace")[-6000:], file=sys.stderr)
    return results


def serve(command: list[str]) -> None:
    port = os.environ.get("PORT", "8787")
    base = f"http://127.0.0.1:{port}"
    print(f"""The notes example runs at {base} (Ctrl-C ends it).

    {base}/account      sign in as alice / wonderland: your connected apps
    {base}/mcp          the MCP server: add this URL to an MCP client on this machine
    {base}/.well-known/oauth-protected-resource/mcp
    {base}/.well-known/oauth-authorization-server

Or let an official SDK connect:   {CLIENTS["python"][1][0]} {CLIENTS["python"][1][1]} {base}
""", flush=True)
    os.execvp(command[0], command)  # the server takes this process over, and with it the signals


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="client", help=f"which clients: {', '.join(CLIENTS)} (default: all)")
    parser.add_argument("--server", choices=SERVERS, help="against which server (default: one after the other)")
    parser.add_argument("--serve", action="store_const", dest="only", const="python", help="run only the server on Python")
    parser.add_argument("--serve-node", action="store_const", dest="only", const="node", help="run only the server on Node")
    arguments = parser.parse_args()
    if unknown := set(arguments.clients) - set(CLIENTS):
        parser.error(f"unknown client: {', '.join(sorted(unknown))}")
    if arguments.only:
        serve(SERVERS[arguments.only][1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    sys.exit(demo([arguments.server] if arguments.server else list(SERVERS), arguments.clients or list(CLIENTS)))

"""Runs the `authorization` command of the official MCP conformance suite against an example server.

    python conformance/official/run.py NODE [HOST]      NODE: a Node.js 22 or newer; HOST: python (default) or node

A run counts only if exactly the expected checks ran and all of them passed: no check skipped, none with a warning.
Two runs must fail, to show that a failure would be seen: an issuer spelled otherwise, and a person who says no.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from browser import decide  # noqa: E402
from serving import HOSTS, Served, example, free_port, stop_on_sigterm  # noqa: E402

SUITE = HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
EXPECTED = ["authorization-code-grant", "authorization-server-metadata", "authorization-server-metadata-cimd"]
SECONDS = 60


def run_suite(node: str, served: Served, url: str, decision: str) -> tuple[int, dict[str, list[str]], str]:
    """One run: the exit code, the status of every check, and what the suite and the browser said."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lockstep-official-") as directory:
        command = [node, str(SUITE), "authorization", "--url", url, "--client-id", "demo-public", "--resource", served.mcp]
        command += ["--port", str(port), "--output-dir", directory]
        suite = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        timer = threading.Timer(SECONDS, suite.kill)
        timer.start()
        said: list[str] = []
        try:
            assert suite.stdout is not None
            for line in suite.stdout:
                said.append(line)
                if re.match(r"https?://\S+[?&]response_type=code", line):
                    try:
                        decide(line.strip(), "alice", "wonderland", decision)
                    except Exception as error:  # the suite would wait for minutes
                        said.append(f"the browser: {error}\n")
                        suite.kill()
            code = suite.wait()
        finally:
            timer.cancel()
            suite.kill()
            suite.wait()
        checks: dict[str, list[str]] = {}
        for file in sorted(Path(directory).rglob("checks.json")):
            for check in json.loads(file.read_text()):
                checks.setdefault(check["id"], []).append(check["status"])
    return code, checks, "".join(said)


def main(node: str, host: str) -> int:
    passed = failed = 0
    runs = [  # title, the issuer's path, added to --url, what the person decides, what must come out
        ("an issuer without a path", "", "", "approve", dict.fromkeys(EXPECTED, "SUCCESS")),
        ("an issuer with a path", "/auth", "", "approve", dict.fromkeys(EXPECTED, "SUCCESS")),
        ("must fail: --url with a slash more", "", "/", "approve", {"authorization-server-metadata": "FAILURE"}),
        ("must fail: the person says no", "", "", "deny", {"authorization-code-grant": "FAILURE"}),
    ]
    for title, path, added, decision, expected in runs:
        began = time.monotonic()
        with example(host, EXAMPLE_ISSUER_PATH=path) as served:
            code, checks, said = run_suite(node, served, served.issuer + added, decision)
            if added or decision == "deny":
                held = code == 1 and all(checks.get(name) == [status] for name, status in expected.items())
            else:
                held = code == 0 and checks == {name: [status] for name, status in expected.items()}
            counts = [status for statuses in checks.values() for status in statuses]
            summary = ", ".join(f"{counts.count(status)} {status.lower()}" for status in sorted(set(counts))) or "no check"
            print(f"{'ok  ' if held else 'FAIL'} {title}: {summary}, exit code {code} ({time.monotonic() - began:.1f} s)", flush=True)
            if not held:
                print(said, checks, f"--- what the server wrote ---\n{served.wrote()}", sep="\n", file=sys.stderr)
        passed, failed = passed + held, failed + (not held)
    print(f"{host}: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else HOSTS[0]))

"""Starts an example twice, with a plain issuer and with one that has a path, and lets Chromium use it (test.mjs).

    python conformance/browser/run.py CHROMIUM [HOST]      HOST: python (default) or node
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from serving import HOSTS, ROOT, example, stop_on_sigterm  # noqa: E402

PATH = "/auth"


def main(chromium: str, host: str) -> int:
    pictures = ROOT / ".build"
    pictures.mkdir(exist_ok=True)
    with example(host) as plain, example(host, EXAMPLE_ISSUER_PATH=PATH) as with_path:
        command = ["node", str(HERE / "test.mjs"), chromium, plain.base, with_path.base, PATH, str(pictures)]
        code = subprocess.run(command, check=False).returncode
        if code:
            print(f"--- what the server wrote ---\n{plain.wrote()}", file=sys.stderr)
    return code


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else HOSTS[0]))

#!/usr/bin/env bash
# Usage: run.sh PYTHON [HOST]    HOST: python (default) or node
# PYTHON has the packages of the example server, and lockstep-oauth; for the server on Node see ../serving.py.
# Needs Node.js 20 and Chromium; Debian's Chromium is installed where there is none, and where that is allowed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${1:?usage: run.sh PYTHON [HOST]}
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The browser check needs Chromium on the PATH as \`chromium\` (Debian: apt-get install chromium)." >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
stamp=$here/node_modules/.installed
if [ ! -e "$stamp" ] || [ "$here/package-lock.json" -nt "$stamp" ]; then
  (cd "$here" && npm ci --silent --no-audit --no-fund)
  touch "$stamp"
fi
exec "$python" "$here/run.py" "$(command -v chromium)" "${2:-python}"

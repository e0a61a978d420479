#!/usr/bin/env bash
# Usage: run.sh PYTHON NODE [OPTION ...]    the options of run.py, such as --seed 7 or --requests 40000
# PYTHON has the packages of the example server, and lockstep-oauth; NODE has SQLite (22.13 or newer).
# bindings-node must have been built (`npm run build` there).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${1:?usage: run.sh PYTHON NODE}
node=${2:?usage: run.sh PYTHON NODE}
timeout 900 "$python" "$here/run.py" "$node" "${@:3}"
timeout 120 "$python" "$here/journeys.py" "$node"

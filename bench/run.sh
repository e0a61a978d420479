#!/usr/bin/env bash
# usage: bench/run.sh PYTHON [--write]
# Prints Lockstep beside the official SDK as one table. PYTHON makes the virtual environment under .build/bench-venv;
# what is measured is the wheel in .build/wheels (`make bench` builds it). --write also keeps the table in bench/results.
set -euo pipefail
python=${1:-python3}
shift || true
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
venv=$root/.build/bench-venv

wheel=$(ls -t "$root"/.build/wheels/lockstep_oauth-*.whl 2>/dev/null | head -1 || true)
if [ -z "$wheel" ]; then
  echo "bench: there is no wheel in .build/wheels; run \`make bench\`" >&2
  exit 1
fi
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --force-reinstall "$wheel"

(cd "$here" && "$venv/bin/python" -m side_by_side "$@")

if [ -e "$here/core/Cargo.toml" ]; then
  echo "### The core alone, without Python"
  echo
  cargo run --quiet --release --locked --manifest-path "$here/core/Cargo.toml" --features native-verify
fi

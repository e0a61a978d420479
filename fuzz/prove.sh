#!/usr/bin/env bash
# The slow proofs beside longer fuzzing and mutants: licences and sources of every dependency, a program without std, and
# the comparison with another JOSE implementation under proptest.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
tool=$PWD/.build/cargo-deny
"$tool/bin/cargo-deny" --version 2>/dev/null | grep -q " $version\$" ||
  cargo install --quiet --locked cargo-deny --version "$version" --root "$tool"
# The advisories need a network that not every machine has; everything else is in the lock file.
export PATH=$tool/bin:$PATH
cargo deny --all-features check bans licenses sources
# The two workspaces beside the product's: a second version of a crate does no harm there.
for workspace in conformance/model fuzz; do
  cargo deny --manifest-path "$workspace/Cargo.toml" --config "$PWD/deny.toml" --all-features check licenses sources
done
cargo test --locked -p lockstep-oauth --test tidy -- --ignored
(cd fuzz && cargo test --quiet --locked --test jose_oracle)

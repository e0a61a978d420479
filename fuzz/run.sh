#!/usr/bin/env bash
# Runs every fuzz target: fuzz/run.sh [SECONDS [TARGET...]]. Stops with the first find, which is left in fuzz/artifacts.
# With FUZZ_RUNS=N each target makes N runs from a fixed seed instead, so that the gate finds the same today and tomorrow.
# A stable toolchain will do: the few unstable flags are let through by RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
shift || true
version=0.13.2
tool=$PWD/.build/cargo-fuzz
export PATH=$tool/bin:$PATH RUSTC_BOOTSTRAP=1
if ! cargo fuzz --version 2>/dev/null | grep -q " $version\$"; then
  env -u RUSTC_BOOTSTRAP cargo install --quiet --locked cargo-fuzz --version "$version" --root "$tool"
fi
# The core forbids unsafe code, so an address sanitizer would look for what cannot be there, at twice the time.
build=(--sanitizer none --debug-assertions)
started=$SECONDS
cargo fuzz build "${build[@]}"
# What the vectors hold, as seeds beside the committed ones.
cargo run --quiet --locked -p lockstep-conformance --bin seeds -- fuzz/target/seeds
echo "built in $((SECONDS - started)) s"
length=(-max_total_time="$seconds")
[ -z "${FUZZ_RUNS:-}" ] || length=(-runs="$FUZZ_RUNS" -seed=1 -max_total_time=60)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target" "fuzz/target/seeds/$target" "fuzz/seeds/$target"
  log=$(mktemp)
  if ! cargo fuzz run "${build[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" "fuzz/target/seeds/$target" -- \
    "${length[@]}" -timeout=5 -max_len=8192 -print_final_stats=1 >"$log" 2>&1; then
    cat "$log"
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$target: $runs runs, $(find "fuzz/corpus/$target" -type f | wc -l) in the corpus"
  rm -f "$log"
done

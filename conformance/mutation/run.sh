#!/usr/bin/env bash
# Mutants of the core: conformance/mutation/run.sh [FILE...]. Every change that cargo-mutants knows is made to the files,
# one at a time, and some test has to fail. First the tests that are near are asked, then, about what is left, all of them.
# Results are kept in .build/mutation/results, a folder a file; KEEP=1 leaves out the files that were judged as they are now,
# and rounds that have results already.
# Part K of N of the files: PART=K/N. No clean-up is needed after an interruption.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=27.1.0
tool=$PWD/.build/cargo-mutants
"$tool/bin/cargo-mutants" --version 2>/dev/null | grep -q " $version\$" ||
  cargo install --quiet --locked cargo-mutants --version "$version" --root "$tool"
export PATH=$tool/bin:$PATH PROPTEST_RNG_SEED=1 CARGO_TERM_COLOR=never
# A mutant that never stops allocating must not take the machine with it.
ulimit -v 16000000
results=$PWD/.build/mutation/results
part=${PART:-0/1}

# The mutants are made in a copy, whose builds are kept: what does not change is compiled once.
tree=$PWD/.build/mutation/tree-${part%/*}
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -f "$file" ] || continue
  cmp -s "$file" "$tree/$file" || { mkdir -p "$tree/$(dirname "$file")" && cp "$file" "$tree/$file"; }
done
# `cargo test` arguments of the rounds. The integration tests that read the source itself would notice any change.
shared=(--locked --profile mutants)
values=(--lib --test=values --test=faults --test=grant --test=tokens --test=jose_known_answers --test=jose_faults --test=jose_limits)
vectors=(--test=vectors)
flows=(--test=clients --test=keys --test=operations --test=survivors --test=flows --test=review)
rest=("${values[@]}" --test=vectors --test=flows --test=review --test=exchanges --test=parts --test=seeds
  --test=limits --test=generators --test=clients --test=keys --test=operations --test=survivors --test=registration)
both=(--package lockstep-oauth --package lockstep-conformance)
(cd "$tree" && cargo test "${shared[@]}" "${both[@]}" "${rest[@]}" --quiet >/dev/null)
(cd "$tree" && cargo test "${shared[@]}" --package lockstep-oauth "${values[@]}" --quiet >/dev/null)

mutate() { # FILE ROUND PACKAGES ARGUMENT... [-- TEST ARGUMENT...]
  # Generous, because a machine may have more to do than this; a mutant that never ends is killed all the same.
  local limit=120 status=0 file=$1 round=$2 packages=$3 out=$results/${1//\//.} arguments=() flags=()
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do arguments+=("--cargo-arg=$1") && shift; done
  for package in $packages; do flags+=(--test-package "$package"); done
  (cd "$tree" && cargo mutants --in-place --baseline skip --profile mutants --package lockstep-oauth --file "$file" \
    "${flags[@]}" --cargo-arg=--locked "${arguments[@]}" --timeout "$limit" --output "$out" --iterate --no-times --level warn \
    -- "$@" >"$out/$round.log" 2>&1) || status=$?
  # 2 is a survivor and 3 a mutant that never ended: both are for the report.
  [[ $status == [023] ]] || { cat "$out/$round.log" && exit 1; }
  # Who never ends is noticed, and need not be asked again in the next round.
  cat "$out/mutants.out/timeout.txt" >>"$out/mutants.out/caught.txt"
  # Where nothing was left to test there are no outcomes.
  cp "$out/mutants.out/outcomes.json" "$out/$round.json" 2>/dev/null || echo '{"outcomes":[]}' >"$out/$round.json"
}

files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(cd "$tree" && cargo mutants --package lockstep-oauth --exclude 'core/src/generators/*' --list-files | awk -v k="${part%/*}" -v n="${part#*/}" 'NR % n == k')
fi
hash_of() { sha256sum "$tree/$file" | cut -d' ' -f1; }
for file in "${files[@]}"; do
  [ -z "${KEEP:-}" ] || ! python3 conformance/mutation/report.py --judged "$file" || continue
  for round in ${ROUNDS:-near all}; do
    out=$results/${file//\//.}
    [ -z "${KEEP:-}" ] || [ ! -f "$out/$round.json" ] || ! grep -q "^$(hash_of) " "$out/source" || continue
    if [ "$round" = all ]; then
      # What is quick to build first: the tests of whole exchanges, then the core's own.
      mutate "$file" flows "lockstep-conformance lockstep-oauth" "${flows[@]}"
      mutate "$file" core lockstep-oauth "${values[@]}"
      mutate "$file" all "lockstep-conformance lockstep-oauth" "${rest[@]}"
    else
      rm -rf "$out" && mkdir -p "$out"
      echo "$(hash_of) $file" >"$out/source"
      case $file in
      core/src/authorization_server/* | core/src/protected_resource/* | core/src/exchange.rs | core/src/grant* | core/src/token.rs)
        mutate "$file" near "lockstep-conformance lockstep-oauth" "${vectors[@]}" -- -- every_vector ;;
      *) mutate "$file" near lockstep-oauth "${values[@]}" ;;
      esac
    fi
    echo "$file, $round: $(grep -c . "$out/mutants.out/missed.txt" || true) missed"
  done
done

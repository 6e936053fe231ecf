#!/usr/bin/env bash
# Throws hostile input at every parser: the fuzzers of tests/fuzz, under AddressSanitizer and UndefinedBehaviorSanitizer.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'TEXT'
usage: tools/fuzz.sh [--seconds N | --runs N] [--seed N] [NAME...]

  --seconds N   for each fuzzer (10)
  --runs N      inputs for each fuzzer, however long it takes
  --seed N      where the random numbers start (11)
  NAME          a file tests/fuzz/NAME.cpp; all when left out

Every input of tests/fuzz/corpus/NAME, where earlier finds are kept, is tried first. What was learnt stays in
build-fuzz/corpus. A find is made smaller and kept in build-fuzz/finds; move it to tests/fuzz/corpus/NAME with its fix.
Last line: value, unit, verdict.
TEXT
}

limit=(-max_total_time=10) seed=11 names=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --seconds) limit=(-max_total_time="$2"); shift 2 ;;
    --runs) limit=(-runs="$2"); shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    -*) echo "fuzz.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done

. "$root/tools/common.sh"
cd "$root"
[[ ${#names[@]} -gt 0 ]] || for file in tests/fuzz/*.cpp; do
  name=$(basename "$file" .cpp)
  [[ $name == fuzz ]] || names+=("$name")
done
build_watched fuzz "${names[@]/#/fuzz_}" || { printf '0\tfuzzers\tthe build failed\n'; exit 1; }

export OMP_NUM_THREADS=1
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1
caps=(-rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -print_final_stats=1)

fuzz_one() {  # fuzz_one NAME: one line of what came of it
  local name=$1 program=build-fuzz/tests/fuzz/fuzz_$1 corpus=build-fuzz/corpus/$1 finds=build-fuzz/finds/$1 log
  log=build-fuzz/finds/$name.log
  mkdir -p "$corpus" "$finds" "tests/fuzz/corpus/$name"
  rm -f "$finds"/*
  "$program" --seeds "$corpus" 2>/dev/null
  if "$program" "${caps[@]}" "${limit[@]}" -seed="$seed" -artifact_prefix="$finds/" "$corpus" "tests/fuzz/corpus/$name" \
    >"$log" 2>&1 </dev/null; then
    awk -v name="$name" '/number_of_executed_units/ { runs = $2 } /average_exec_per_sec/ { rate = $2 }
      END { printf "%-10s %12d inputs, %7d a second\n", name, runs, rate }' "$log"
    return 0
  fi
  local find
  find=$(find "$finds" -type f | head -1)
  echo "$name: FIND ${find:-(no input kept)}"
  grep -m1 -E 'ERROR:|runtime error|SUMMARY|ALARM' "$log" || tail -5 "$log"
  [[ ! -f $find ]] || "$program" -minimize_crash=1 -max_total_time=20 -timeout=10 -exact_artifact_path="$finds/minimal" "$find" \
    >/dev/null 2>&1 </dev/null || true
  return 1
}
export -f fuzz_one

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
running=0
for name in "${names[@]}"; do
  if [[ $running -ge $cores ]]; then wait -n || true; else running=$((running + 1)); fi
  { fuzz_one "$name" && touch "$results/$name"; } &
done
wait
good=$(find "$results" -type f | wc -l)
verdict "$good/${#names[@]}" "fuzzers without a find" "$([[ $good -eq ${#names[@]} ]] && echo holds || echo "see build-fuzz/finds")"

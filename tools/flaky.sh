#!/usr/bin/env bash
# The quick tests again and again, cases and programs in another random order each time: twice, or 20 times with --full.
# Last line: value, unit, verdict.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/common.sh"
cd "$root"
rounds=2
[[ ${1-} != --full ]] || rounds=20
build build all -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=ON || { verdict "0/$rounds" "shuffled rounds passed" "the build failed"; exit 1; }
passed=0 failures=""
for ((round = 1; round <= rounds; round++)); do
  say "round $round of $rounds, GTEST_RANDOM_SEED=$round"
  if GTEST_SHUFFLE=1 GTEST_RANDOM_SEED=$round ctest --test-dir build -L quick --schedule-random --parallel "$cores" \
    --timeout 1800 --output-on-failure --no-tests=error; then
    passed=$((passed + 1))
  else
    failures+=" $round"
  fi
done
verdict "$passed/$rounds" "shuffled rounds passed" "$([[ $passed -eq $rounds ]] && echo holds || echo "failed with seed$failures")"

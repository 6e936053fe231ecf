#!/usr/bin/env bash
# Installs what is missing, builds, and runs every check: house rules, all tests, the quick ones again under sanitizers, fuzzers.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage: ./test.sh [--quick | --nightly] [--label LABEL] [--filter REGEX]

  1. house rules: who includes whom, formatting, sizes (warnings)
  2. release build (build/), all tests
  3. AddressSanitizer and UndefinedBehaviorSanitizer (build-asan/), the quick tests
  4. hostile input for every parser, ten seconds each (build-fuzz/, tools/fuzz.sh)

  --quick         only 2., and not the tests labelled slow
  --nightly       the long sizes too (PLUMB_NIGHTLY=1, label slow), all tests under the sanitizers of 3., the parallel loops under
                  ThreadSanitizer, the command line under valgrind, the branches that tests take, and tests in random order
  --label LABEL   only the tests with this label: quick, data, slow, cuda
  --filter REGEX  only the tests whose name matches, for example core or alignment
  --help          this text

Exit code 0 only if everything passed. The last line counts: N passed, N failed. Reports: build/reports, build-asan/reports.
TEXT
}

rules=1 sanitizers=1 nightly=0 slow=(-LE slow) sanitized=(-L quick) timeout=900 selection=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --quick) rules=0 sanitizers=0; shift ;;
    --nightly) export PLUMB_NIGHTLY=1; nightly=1 slow=() sanitized=() timeout=14400; shift ;;
    --label | --filter)
      [[ $# -ge 2 ]] || { echo "test.sh: $1 needs a value" >&2; exit 2; }
      [[ $1 == --label ]] && selection+=(-L "$2") || selection+=(-R "$2")
      [[ $1 == --label && $2 == slow ]] && slow=()
      shift 2 ;;
    *) echo "test.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done

. "$root/tools/common.sh"
cd "$root"
failed=() broken=0

stage() {  # stage NAME COMMAND...: runs it, and remembers a failure
  local name=$1
  shift
  say "$name"
  "$@" && return 0
  failed+=("$name")
  [[ $1 == run_tests ]] || broken=$((broken + 1))  # failed tests are counted one by one
  echo "FAILED: $name" >&2
  return 1
}

run_tests() {  # run_tests FOLDER CTEST-OPTIONS...
  local folder=$1
  shift
  rm -rf "$folder/reports"
  mkdir -p "$folder/reports"
  GTEST_OUTPUT="xml:$root/$folder/reports/" ctest --test-dir "$folder" --parallel "$cores" --timeout "$timeout" \
    --output-on-failure --no-tests=error --output-junit "$root/$folder/reports/ctest.xml" "$@" ${selection[@]+"${selection[@]}"}
}

bash tools/install_packages.sh build test
rm -rf build/reports build-asan/reports

if [[ $rules == 1 ]]; then
  stage "layers" python3 tools/check_layers.py || true
  stage "formatting (tools/format.sh mends it)" tools/format.sh --check || true
  stage "sizes" python3 tools/check_sizes.py || true
fi

if stage "release build with $cores jobs" build build all -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=ON; then
  stage "all tests" run_tests build ${slow[@]+"${slow[@]}"} || true
fi
if [[ $sanitizers == 1 ]] &&
  stage "sanitizer build with $cores jobs" build build-asan all -DCMAKE_BUILD_TYPE=Release -DPLUMB_SANITIZE=ON -DPLUMB_CUDA=OFF; then
  stage "tests under sanitizers" run_tests build-asan ${sanitized[@]+"${sanitized[@]}"} || true
fi
[[ $sanitizers == 0 ]] || stage "hostile input" tools/fuzz.sh --seconds 10 || true
if [[ $nightly == 1 ]]; then
  stage "parallel loops under ThreadSanitizer" tools/tsan.sh || true
  stage "command line under valgrind" tools/valgrind.sh || true
  stage "branches" tools/coverage.sh || true
  stage "random order" tools/flaky.sh || true
fi

for name in ${failed[@]+"${failed[@]}"}; do echo "FAILED: $name"; done
python3 tools/count_tests.py --broken "$broken" build/reports build-asan/reports || exit 1
[[ ${#failed[@]} -eq 0 ]]

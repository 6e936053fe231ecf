#!/usr/bin/env bash
# Branches that the tests take both ways, of parsers, store, loop and objectives: clang counts them in the libplumb of
# build-coverage, with which the test programs of build/ run.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'TEXT'
usage: tools/coverage.sh [--full] [--report] [--lines]

  --full     runs all tests, the long ones too, in place of the quick ones
  --report   runs none: counts what the last run took
  --lines    lists each branch that is missing

A branch is one way out of one condition. Last line: value, unit, verdict.
TEXT
}

tests=(-L quick) run=1 options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --full) export PLUMB_NIGHTLY=1; tests=(); shift ;;
    --report) run=0; shift ;;
    --lines) options+=(--lines); shift ;;
    *) echo "coverage.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done

. "$root/tools/common.sh"
cd "$root"
if [[ $run == 1 ]]; then
  build_watched coverage plumb || { verdict 0 "% of branches" "the build failed"; exit 1; }
  rm -rf build-coverage/profiles
  LD_LIBRARY_PATH=$root/build-coverage LLVM_PROFILE_FILE=$root/build-coverage/profiles/%2m.profraw ctest --test-dir build --parallel "$cores" --timeout 14400 \
    --output-on-failure ${tests[@]+"${tests[@]}"} || { verdict 0 "% of branches" "tests failed"; exit 1; }
fi
llvm-profdata-14 merge -sparse -o build-coverage/tests.profdata build-coverage/profiles/*.profraw
llvm-cov-14 export -instr-profile build-coverage/tests.profdata build-coverage/libplumb.so >build-coverage/coverage.json
python3 tools/coverage.py build-coverage/coverage.json ${options[@]+"${options[@]}"}

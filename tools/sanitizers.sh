#!/usr/bin/env bash
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer; with --full the long ones too, the parallel loops under
# ThreadSanitizer, and the command line under valgrind. Last line: value, unit, verdict.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/common.sh"
cd "$root"
tests=(-L quick) stages=1 clean=0
if [[ ${1-} == --full ]]; then
  export PLUMB_NIGHTLY=1
  tests=() stages=3
fi
bash tools/install_packages.sh build test
build build-asan all -DCMAKE_BUILD_TYPE=Release -DPLUMB_SANITIZE=ON -DPLUMB_CUDA=OFF || { verdict "0/$stages" "checkers without a report" "the build failed"; exit 1; }
ctest --test-dir build-asan --parallel "$cores" --timeout 14400 --output-on-failure ${tests[@]+"${tests[@]}"} && clean=1
if [[ $stages == 3 ]]; then
  for checker in tsan valgrind; do "tools/$checker.sh" && clean=$((clean + 1)); done
fi
verdict "$clean/$stages" "checkers without a report" "$([[ $clean -eq $stages ]] && echo holds || echo "see above")"

#!/usr/bin/env bash
# The command line under valgrind: help, the reference of the configuration, and a training of two steps. Valgrind knows
# no AVX-512. tools/valgrind.txt says which reports of other people's libraries are passed over; never one of ours.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/common.sh"
cd "$root"
bash tools/install_packages.sh build nightly
build build plumb_cli -DCMAKE_BUILD_TYPE=Release
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export PLUMB_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 GOMP_SPINCOUNT=1000
checked() {
  quietly valgrind --error-exitcode=99 --errors-for-leak-kinds=definite --leak-check=full --quiet \
    --suppressions=tools/valgrind.txt build/plumb "$@"
}
checked --help
checked config
checked train examples/copy_language/gpt.toml --out "$out/run" --set run.steps=2 --set train.batch=2 --set run.eval_rows=2

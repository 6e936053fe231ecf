#!/usr/bin/env bash
# The parallel loops under ThreadSanitizer: the tests of core and autograd on four threads. They run on LLVM's OpenMP, which
# serves programs built by g++ too and, by Archer, tells ThreadSanitizer what it synchronises.
# tools/tsan.sh [gtest filter]
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/common.sh"
cd "$root"
bash tools/install_packages.sh build test nightly
build_watched thread plumb
llvm=/usr/lib/llvm-14/lib
export OMP_NUM_THREADS=4 PLUMB_ISA=avx2 LD_LIBRARY_PATH=$root/build-thread OMP_TOOL_LIBRARIES=$llvm/libarcher.so
export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:allocator_may_return_null=1  # a test asks for too much
# ThreadSanitizer's start leaves a lock of the C library's locales one reader short. The first text of an error that is asked
# for then makes freelocale wait forever, which a library that nobody here calls (p11-kit, below HDF5) does at exit: so it
# frees nothing.
echo 'void freelocale(void* locale) { (void)locale; }' | gcc -shared -fPIC -x c - -o build-thread/freelocale.so
preload="$(g++ -print-file-name=libtsan.so) $llvm/libomp.so.5 $root/build-thread/freelocale.so"
for program in test_core test_autograd; do
  LD_PRELOAD="$preload" "build/tests/$program" --gtest_brief=1 --gtest_filter="${1-*}"
done

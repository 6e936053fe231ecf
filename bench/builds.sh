#!/usr/bin/env bash
# Times what a developer waits for: start-up of the command line, a clean build of the library and the command line
# without ccache, and rebuilds. Prints wall and user seconds; user time says more where the machine is shared.
#   bench/builds.sh [FOLDER]     FOLDER: an empty one for the build (a temporary one when left out)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
export CCACHE_DISABLE=1
TIMEFORMAT="%R s wall, %U s user"

build() { cmake --build "$folder" -j 2 --target plumb_cli > "$folder/log"; }
timed() {  # NAME COMMAND...
  local name=$1
  shift
  printf '%-52s ' "$name"
  time "$@"
}
rebuild() {  # NAME FILE
  touch "$2"
  timed "$1" build
}
start_up() {  # NAME WORDS...: the best and the median of 50
  local name=$1 begin
  shift
  for _ in $(seq 50); do
    begin=${EPOCHREALTIME/./}
    "$folder/plumb" "$@" > "$folder/out"
    echo $((${EPOCHREALTIME/./} - begin))
  done | sort -n | awk -v name="$name" '{ t[NR] = $1 / 1000 } END { printf "%-52s %.1f ms best, %.1f ms median\n", name, t[1], t[25] }'
}

cmake -S . -B "$folder" -G Ninja -DPLUMB_CUDA=OFF -DPLUMB_TESTS=OFF > "$folder/log"
timed "clean build, -j 2" build
rebuild "rebuild, alignment/supervised/language_model.cpp" alignment/supervised/language_model.cpp
rebuild "rebuild, core/cpu/isa/softmax.cpp (3 instruction sets)" core/cpu/isa/softmax.cpp
rm "$folder"/libplumb.so.*.*.*
timed "link" build
printf '%-52s %s bytes, %s stripped\n' "libplumb.so" "$(stat -Lc %s "$folder/libplumb.so")" \
  "$(strip -o "$folder/stripped" "$folder/libplumb.so" && stat -c %s "$folder/stripped")"
start_up "plumb --help" --help
start_up "plumb config" config
start_up "plumb train CONFIG --dry-run" train examples/copy_language/gpt.toml --dry-run 2> "$folder/err"

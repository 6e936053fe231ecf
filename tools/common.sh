# What run.sh and test.sh share: sourced, after `root` is set to the repository.
set -euo pipefail

cores=$(nproc)  # honours the affinity mask and OMP_NUM_THREADS; never more jobs than this
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}

say() { printf '== %s\n' "$*"; }

# Runs a command quietly: its output, less ninja's progress, is shown only if it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ $status -eq 0 ]] || grep -v '^\[[0-9]*/[0-9]*\] ' "$log" >&2 || true
  rm -f "$log"
  return $status
}

# build FOLDER TARGETS CMAKE-OPTIONS...: configures and builds; the progress lines only on a terminal.
build() {
  local folder=$1 targets=$2
  shift 2
  local generator=()
  [[ -f $folder/CMakeCache.txt ]] || generator=(-G Ninja)
  quietly cmake -S "$root" -B "$folder" "${generator[@]}" "$@" || return 1
  if [[ -t 1 ]]; then
    # shellcheck disable=SC2086  # several targets
    cmake --build "$folder" --parallel "$cores" --target $targets
  else
    # shellcheck disable=SC2086
    quietly cmake --build "$folder" --parallel "$cores" --target $targets
  fi
}

# build_watched fuzz|coverage|thread TARGETS...: build-fuzz/ and so on, around the objects of build/ (cmake/PlumbWatch.cmake).
build_watched() {
  local kind=$1 compiler=clang++-14
  shift
  [[ $kind != thread ]] || compiler=g++
  bash "$root/tools/install_packages.sh" build test watched
  build "$root/build" all -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=ON || return 1
  build "$root/build-$kind" "$*" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release -DPLUMB_WATCH="$kind" \
    -DPLUMB_OBJECTS="$root/build" -DPLUMB_TESTS=OFF -DPLUMB_CUDA=OFF
}

# verdict VALUE UNIT WORDS: the last line of a script that `plumb check` runs; fails unless the words are "holds".
verdict() {
  printf '%s\t%s\t%s\n' "$1" "$2" "$3"
  [[ $3 == holds ]]
}

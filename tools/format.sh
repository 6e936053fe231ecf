#!/usr/bin/env bash
# Formats every C++ and CUDA file with clang-format; with --check it changes nothing, lists what it would, and fails.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
mode=(-i) jobs=$(nproc)
[[ ${1-} != --check ]] || mode=(--dry-run -Werror) jobs=1  # one, or messages mix
folders=()
for folder in core autograd nn optim models alignment lab examples tests bench; do
  [[ ! -d $folder ]] || folders+=("$folder")
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
find "${folders[@]}" -regextype posix-extended -regex '.*\.(h|cpp|cu|cuh)' -print0 |
  xargs -0 -r -n 8 -P "$jobs" clang-format --style=file "${mode[@]}" 2>"$log" || status=1
grep -oP '^[^: ]+(?=:\d+:\d+: error)' "$log" | sort | uniq -c | awk '{ print $2 ": " $1 " places" }' || true
exit $status

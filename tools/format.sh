#!/usr/bin/env bash
# Formats every C++ and CUDA file with clang-format; with --check it changes nothing and fails where it would.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
if [[ ${1-} == --check ]]; then mode=(--dry-run -Werror); else mode=(-i); fi
floors=(core autograd nn optim models alignment lab examples tests bench)
find "${floors[@]}" -regextype posix-extended -regex '.*\.(h|cpp|cu|cuh)' -print0 2>/dev/null |
  xargs -0 -r -n 8 -P "$(nproc)" clang-format --style=file "${mode[@]}"

#!/usr/bin/env bash
# Installs what is missing, builds Plumb, and runs its main job: training a small transformer on a world with a known truth.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage: ./run.sh [--config FILE] [OPTION OF plumb train]...

Installs the Debian packages that are missing (tools/packages.txt), builds build/plumb, and trains the model of
examples/copy_language/gpt.toml. It may be run again at any time: only what changed is built.

  --config FILE   another run than the default one
  --help          this text
  anything else   is passed on to `plumb train`, for example
                    ./run.sh --set run.steps=200 --set run.seed=7
                    ./run.sh --out runs/mine
TEXT
}

config=$root/examples/copy_language/gpt.toml
options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --config) [[ $# -ge 2 ]] || { echo "run.sh: --config needs a file" >&2; exit 2; }; config=$2; shift 2 ;;
    *) options+=("$1"); shift ;;
  esac
done

. "$root/tools/common.sh"
bash "$root/tools/install_packages.sh" build
say "building build/plumb with $cores jobs"
build "$root/build" plumb_cli -DCMAKE_BUILD_TYPE=Release
say "build/plumb train ${config#"$root"/} ${options[*]-}"
exec "$root/build/plumb" train "$config" ${options[@]+"${options[@]}"}

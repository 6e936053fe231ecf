#!/usr/bin/env bash
# Installs what is missing of the named sections of tools/packages.txt: install_packages.sh build [test]
# Nothing to do, nothing said. Without root and without a password-free sudo it prints the command and stops.
set -euo pipefail
list=$(dirname -- "${BASH_SOURCE[0]}")/packages.txt

packages_of() {  # the packages of the sections given
  awk -v wanted=" $* " '
    /^\[/ { on = index(wanted, " " substr($0, 2, length($0) - 2) " "); next }
    on && NF && !/^#/ { print $1 }' "$list"
}

[[ $# -gt 0 ]] || { echo "usage: install_packages.sh SECTION..., sections: $(grep -oP '^\[\K\w+' "$list" | xargs)" >&2; exit 2; }
mapfile -t wanted < <(packages_of "$@")
[[ ${#wanted[@]} -gt 0 ]] || { echo "install_packages.sh: no such section: $*" >&2; exit 2; }

if ! command -v dpkg-query >/dev/null; then
  echo "This system has no dpkg; what these Debian packages hold must be there already: ${wanted[*]}" >&2
  exit 0  # CMake says what it does not find
fi

installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^ii  *//p' || true)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(sort -u <<<"$installed"))
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -eq 0 ]]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
  cat >&2 <<MESSAGE
Packages are missing, and installing them needs root. Run this once, then try again:

  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}
MESSAGE
  exit 1
fi

echo "Installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package index may be old or absent: refresh it, and let the installation itself decide whether that was needed.
"${as_root[@]}" apt-get update -qq >"$log" 2>&1 || true
if ! "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  echo "install_packages.sh: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi

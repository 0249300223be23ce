#!/usr/bin/env bash
# Prints the Python that has a package of PyPI. The first time it is installed under target/, into an environment of its
# own, or beside it where the system's Python makes none (Debian's without python3-venv).
#
#   tools/pypi.sh <package> <version>
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly package=$1 version=$2
readonly folder=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/$package-$version
readonly python=$folder/bin/python

say() { echo "$package: $*" >&2; }

install() { # <folder>
  if python3 -m venv "$1" >/dev/null 2>&1; then
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$package==$version" >&2
    return
  fi
  say "this Python makes no environments, so it is installed beside it"
  rm -rf "$1"
  mkdir -p "$1/bin"
  python3 -m pip install --quiet --disable-pip-version-check --target "$1/packages" "$package==$version" >&2
  printf '#!/bin/sh\nPYTHONPATH="%s" exec python3 "$@"\n' "$1/packages" > "$1/bin/python"
  chmod +x "$1/bin/python"
}

# Somebody else may be installing it at this moment.
exec 9>"$folder.lock"
flock 9
if ! "$python" -c "import $package" 2>/dev/null; then
  command -v python3 >/dev/null || { say "python3 is missing"; exit 1; }
  say "installs $version into $folder"
  rm -rf "$folder"
  install "$folder"
  "$python" -c "import $package"
fi
echo "$python"

# shellcheck shell=bash
# Sourced by the recipes of the Makefile: the environment of a build, and steps that say how long they took.
set -euo pipefail

# Cargo's folder is asked for by its variable, so that a checkout can share another's.
target_dir=${CARGO_TARGET_DIR:-target}
step_number=0
step_total=0

# steps <how many> — must come first.
steps() { step_total=$1; }

# step <what it does> <command …>
step() {
  local title=$1 started=$SECONDS
  shift
  step_number=$((step_number + 1))
  echo "step $step_number of $step_total: $title …"
  if ! "$@"; then
    echo "step $step_number of $step_total: $title: FAILED ($((SECONDS - started)) s)" >&2
    exit 1
  fi
  echo "step $step_number of $step_total: $title ($((SECONDS - started)) s)"
}

# use_toolchain [test] — leaves what tools/toolchain.sh found in this shell's environment.
use_toolchain() {
  local exports
  exports=$(tools/toolchain.sh "$@") && eval "$exports"
}

# Installs what package-lock.json names, unless exactly that was installed before. No package may run scripts of its own.
npm_packages() {
  local stamp=node_modules/.installed-lock
  cmp -s package-lock.json "$stamp" && return
  npm ci --ignore-scripts --no-audit --no-fund && cp package-lock.json "$stamp"
}

# Puts what a server needs into dist/.
gather_release() {
  rm -rf dist && mkdir dist && cp "$target_dir/release/kabinet" dist/ && cp -R target/site dist/site &&
    cp node_modules/@expo-google-fonts/pt-sans/LICENSE_FONT dist/LICENSE-PT-Sans &&
    cp node_modules/jsqr/LICENSE dist/LICENSE-jsQR &&
    tools/dependencies.py sbom dist/sbom.json
}

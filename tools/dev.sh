#!/usr/bin/env bash
# The development loop: builds, serves, looks for changed sources twice a second, and builds and serves again.
# A build that fails leaves the last good one running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly sources=(Cargo.toml Cargo.lock app camera crm frontend islands offline public rotating server style)
readonly stamp=target/dev.stamp
readonly program=${CARGO_TARGET_DIR:-target}/debug/kabinet
server=

stop_server() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
trap stop_server EXIT
trap 'exit 130' INT TERM

changed() {
  [[ ! -e $stamp ]] || [[ -n $(find "${sources[@]}" -newer "$stamp" -type f -print -quit 2>/dev/null) ]]
}

build() { cargo xtask site --profile dev && cargo build --package server; }

mkdir -p target
rm -f "$stamp"
while true; do
  if changed; then
    # Before the build: what is saved during it must start the next one.
    touch "$stamp"
    if build; then
      stop_server
      if "$program" demo; then
        KABINET_DRAIN_SECONDS=0 "$program" serve &
        server=$!
      fi
    else
      echo "dev: the build failed; waits for the next change" >&2
    fi
  fi
  sleep 0.5
done

#!/usr/bin/env bash
# The API from outside, against servers of this machine that end with this script: schemathesis sends whatever the OpenAPI
# document allows and forbids to a demonstration, and is told what is there (end2end/till/known.py); end2end/till/day.py plays a
# day at three tills. The till that the documentation gives away is tried by itself before. Prints a line for each, ok or not.
#
#   tools/tills.sh <program> <site folder>
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly program=$(realpath "$1") site=$(realpath "$2")
readonly work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
failed=0

# verdict <what> <command …>
verdict() {
  local what=$1
  shift
  if "$@" > "$work/said" 2>&1; then
    echo "ok - $what: $(tail -1 "$work/said")"
  else
    cat "$work/said"
    echo "not ok - $what"
    failed=$((failed + 1))
  fi
}

schemathesis() {
  local python port url key
  python=$(tools/pypi.sh schemathesis 4.32.5) || return 1
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  url=http://127.0.0.1:$port
  export KABINET_DATABASE_URL=sqlite:$work/kabinet.db KABINET_LISTEN=127.0.0.1:$port KABINET_PUBLIC_URL=$url
  export KABINET_SITE_DIR=$site KABINET_LOG=warn KABINET_DRAIN_SECONDS=0 KABINET_LIMITS__REQUESTS_PER_TILL=0
  export KABINET_POINTS__IDENTIFY_BY_PHONE=confirmed
  # The till is of the source of the demonstration's receipts, so that it may take them back.
  "$program" demo --small > "$work/demo" || return 1
  key=$("$program" till add fuzz fuzz --source online-retail --scopes customers,purchases,points,catalogue,accounting) || return 1
  "$program" serve > "$work/serve" 2>&1 &
  server=$!
  for _ in {1..300}; do
    curl --silent --fail --output /dev/null "$url/readyz" && break
    kill -0 "$server" || { echo "the server ended by itself:"; tail -5 "$work/serve"; return 1; }
    sleep 0.1
  done
  export SCHEMATHESIS_HOOKS=$PWD/end2end/till/known.py PYTHONDONTWRITEBYTECODE=1
  export KNOWN_DATABASE=$work/kabinet.db KNOWN_URL=$url KNOWN_KEY=$key KNOWN_ANSWERS=$work/answers
  # The same seed every time: a test that fails only now and then helps nobody.
  (cd "$work" && "$python" -m schemathesis.cli run "$url/api/v1/openapi.json" --url "$url" --no-color \
    --header "Authorization: Bearer $key" --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --max-examples 25 --seed 20261126 --generation-database none --warnings off \
    --exclude-path /api/v1/openapi.json --max-failures 20) || { tail -5 "$work/serve"; return 1; }
  "$program" ledger verify && python3 end2end/till/known.py "$KNOWN_ANSWERS"
}

verdict "a till's journal" python3 end2end/till/journal.py
verdict "schemathesis: no 5xx, no answer that is not documented, each endpoint does what it is for" schemathesis
[[ -z $server ]] || { kill "$server"; wait "$server" 2>/dev/null; server=; }
unset KABINET_DATABASE_URL KABINET_LISTEN KABINET_PUBLIC_URL KABINET_LIMITS__REQUESTS_PER_TILL KABINET_POINTS__IDENTIFY_BY_PHONE
verdict "a day at three tills" python3 end2end/till/day.py --program "$program" --site "$site"
exit "$failed"

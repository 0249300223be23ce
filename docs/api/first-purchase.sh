#!/usr/bin/env bash
# The first purchase with points, step by step with curl. Needs jq-free tools only: curl and python3 to read JSON.
#
#   KABINET=http://localhost:3000 KEY=kbt_… CARD=2900000000018 docs/api/first-purchase.sh
set -euo pipefail
api=$KABINET/api/v1

# ask <method> <path> [body] — sends a request; a change carries a key of its own, so that it may be sent again.
ask() {
  local body=()
  [[ $# -lt 3 ]] || body=(--data "$3")
  curl --silent --show-error --fail-with-body --request "$1" "$api$2" \
    --header "Authorization: Bearer $KEY" --header 'Content-Type: application/json' \
    --header "Idempotency-Key: $(date +%s%N)-$RANDOM" "${body[@]}"
}
# field <name> — one field of the JSON object on the standard input.
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# 1. Who is it?
customer=$(ask POST /customers/identify "{\"card\": \"$CARD\"}" | field customer)

# 2. What would the basket earn, and how many points may pay?
lines='[{"article": "TEA-1", "name": "Black tea", "quantity": 2, "price": 34900}]'
ask POST /quotes "{\"customer\": \"$customer\", \"lines\": $lines}"
echo

# 3. The receipt, with the time on it. Sent twice it is booked once.
document="EXAMPLE-$(date +%s%N)"
receipt="{\"document\": \"$document\", \"at\": \"$(date --utc +%Y-%m-%dT%H:%M:%SZ)\", \"customer\": \"$customer\", \"lines\": $lines}"
ask POST /purchases "$receipt"
echo

# 4. One of the two comes back.
original="{\"document\": \"$document\", \"line\": 1}"
ask POST /returns "{\"document\": \"$document-R\", \"at\": \"$(date --utc +%Y-%m-%dT%H:%M:%SZ)\",
  \"lines\": [{\"article\": \"TEA-1\", \"quantity\": 1, \"price\": 34900, \"original\": $original}]}"
echo

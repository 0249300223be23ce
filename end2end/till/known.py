"""Hooks for schemathesis: tells it what is in the store, so that what it sends finds something, and counts what was answered.

Fields that name something (a card, a customer, a receipt, a shop …) may be what they were and, about as often, one of those that
are there; each endpoint has an example that fits. At the end the number of 2xx answers of each endpoint is written down, and
`known.py <file>` fails where one has none: then the endpoint was only ever refused, and little of it was tried.

`KNOWN_DATABASE` is the SQLite file of a demonstration, `KNOWN_URL` and `KNOWN_KEY` lead to its server, and `KNOWN_ANSWERS` is where
to write what was answered.
"""

import atexit
import datetime
import json
import os
import sqlite3
import sys
import urllib.request
import uuid
from collections import Counter

SOURCE = "online-retail"  # the demonstration's receipts; the till has to be of it
MOST = 20  # of each kind
FIRST = 100  # about so many requests are examples
# What numbers of a receipt are like; any number at all is hardly ever a receipt that can be booked.
USUAL = {"quantity": [1, 2], "price": [100, 34900], "discount": [0, 1], "rule_discount": [0, 1], "points": [1, 100], "line": [1, 2]}


def read(database):
    """What is there, by the names of the fields that name it."""
    def column(words):
        found = [value for (value,) in database.execute(f"{words} LIMIT {MOST}")]
        return [str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value for value in found]

    rich = ("FROM accounts a JOIN programs p ON p.id = a.program_id AND p.code = 'club' "
            "WHERE a.kind = 'active' AND a.customer_id IS NOT NULL AND a.balance - a.reserved > 2000 ORDER BY a.customer_id")
    return {
        "customer": column(f"SELECT a.customer_id {rich}"),
        "card": column("SELECT number FROM cards WHERE state = 'active' AND customer_id IS NOT NULL ORDER BY number"),
        "phone": column("SELECT value FROM contacts WHERE kind = 'phone' AND verified_at IS NOT NULL ORDER BY value"),
        "document": column(f"SELECT document FROM purchases WHERE source = '{SOURCE}' AND kind = 'sale' ORDER BY document"),
        "article": column("SELECT code FROM articles ORDER BY code"),
        "store": column("SELECT code FROM stores ORDER BY code"),
        "category": column("SELECT code FROM categories ORDER BY code"),
        "program": column("SELECT code FROM programs WHERE automatic = 1 ORDER BY position"),
    }


def sold(database, after):
    """A line of a receipt of which much can be brought back, as a return names it. It is none of those before `after`, which
    are voided."""
    row = database.execute(
        f"SELECT a.code, l.price, p.document, l.ordinal FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id "
        f"JOIN articles a ON a.id = l.article_id WHERE p.source = '{SOURCE}' AND p.kind = 'sale' AND p.voided_at IS NULL "
        f"AND l.returned = 0 AND l.discount = 0 AND p.document > ? ORDER BY l.quantity DESC, p.document, l.ordinal LIMIT 1",
        (after,)).fetchone()
    if row is None:
        sys.exit(f"the demonstration has no receipt of {SOURCE}")
    article, price, document, line = row
    return {"article": article, "quantity": 1, "price": price, "original": {"document": document, "line": line}}


def reserve(customers):
    """Points of each customer, several times: some are captured, some let go."""
    for number, customer in enumerate(customers * 3):
        body = json.dumps({"customer": customer, "points": 100}).encode()
        request = urllib.request.Request(os.environ["KNOWN_URL"] + "/api/v1/reservations", data=body, headers={
            "Authorization": f"Bearer {os.environ['KNOWN_KEY']}", "Idempotency-Key": f"reserved-{number}",
            "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            yield json.load(answer)["reservation"]


def bodies(known, back):
    """A body that fits, for each endpoint that wants one."""
    at = datetime.datetime.now(datetime.timezone.utc).isoformat()
    one = {name: values[0] for name, values in known.items()}
    line = {"article": one["article"], "name": "Tea", "quantity": 2, "price": 34900}
    sale = {"document": "KNOWN-1", "at": at, "customer": one["customer"], "store": one["store"], "lines": [line]}
    text = {"ru": "Чай", "en": "Tea"}
    store = {"code": "known", "name": text, "town": text, "address": text, "hours": [[540, 1260]] * 7}
    return {
        "/customers/identify": {"card": one["card"]},
        "/customers/confirmations": {"phone": one["phone"]},
        "/customers": {"phone": "+79000000145"},
        "/quotes": {"customer": one["customer"], "lines": [line]},
        "/purchases": sale,
        "/purchases/batch": {"purchases": [sale | {"document": "KNOWN-2"}],
                             "returns": [{"document": "KNOWN-3", "at": at, "lines": [back]}]},
        "/purchases/{document}/void": {},
        "/returns": {"document": "KNOWN-4", "at": at, "lines": [back]},
        "/reservations": {"customer": one["customer"], "points": 100},
        "/reservations/{reservation}/capture": {"points": 100},
        "/reservations/{reservation}/cancel": {},
        "/stores": {"stores": [store]},
        "/categories": {"categories": [{"code": "known", "name": text}]},
        "/articles": {"articles": [{"code": "KNOWN", "name": "Tea", "category": one["category"]}]},
        "/cards": {"numbers": ["2909999999992"]},
    }


def teach(document, known, back):
    """Writes what is there into the OpenAPI document."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    usual = {name: {"enum": values} for name, values in (known | USUAL | {"at": [now]}).items()}
    for schema_name, schema in document["components"]["schemas"].items():
        # A receipt that is sent has a number of its own; one that is asked for or brought back has been there.
        is_sent = schema_name in ("NewPurchase", "NewReturn")
        own = usual | {"document": {"type": "string", "pattern": "^KNOWN-[0-9]{5}$"}} if is_sent else usual
        fields = schema.get("properties", {})
        for name in own.keys() & fields.keys():
            if fields[name].get("type") in ("string", "integer", ["string", "null"], ["integer", "null"]):
                fields[name] = {"anyOf": [fields[name], own[name]]}
    examples = bodies(known, back)
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    single = known | {"from": [today], "to": [today]}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                if parameter["in"] == "path" and name in known:
                    parameter["schema"] = {"anyOf": [parameter["schema"], {"enum": known[name]}]}
                if name in single:
                    # What is cancelled cannot be captured.
                    parameter["example"] = single[name][-1 if path.endswith("/capture") else 0]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["example"] = examples[path.removeprefix("/api/v1")]


def complain(file):
    """Says which endpoints never did what they were asked for."""
    with open(file, encoding="utf-8") as written:
        answers = json.load(written)
    never = sorted(operation for operation, statuses in answers.items() if not any(status < "300" for status in statuses))
    for operation in never:
        print(f"{operation} was never answered with 2xx: {answers[operation]}")
    done = sum(count for statuses in answers.values() for status, count in statuses.items() if status < "300")
    asked = sum(sum(statuses.values()) for statuses in answers.values())
    print(f"{len(answers)} endpoints, {asked} requests, {done} of them answered with 2xx")
    sys.exit(1 if never or not answers else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("known.py <what was answered>")
    complain(sys.argv[1])

import schemathesis  # noqa: E402  (who looks at the answers does not need it)

ANSWERS, SENT = {}, Counter()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    database = sqlite3.connect(f"file:{os.environ['KNOWN_DATABASE']}?mode=ro", uri=True)
    known = read(database)
    back = sold(database, max(known["document"], default=""))
    database.close()
    known["reservation"] = list(reserve(known["customer"]))
    missing = sorted(name for name, values in known.items() if not values)
    if missing:
        sys.exit(f"the demonstration has none of these: {', '.join(missing)}")
    teach(raw_schema, known, back)
    for path, methods in raw_schema["paths"].items():
        for method in methods:
            if not path.endswith("/openapi.json"):
                ANSWERS[f"{method.upper()} {path}"] = Counter()


@schemathesis.hook
def before_call(context, case, kwargs):
    # Keys and numbers of receipts as they are made up are often the same: nothing but `key_reused` and `document_conflict`
    # would be answered. One of four stays as it is, after the examples.
    SENT["requests"] += 1
    number = SENT["requests"]
    if number > FIRST and number % 4 == 0:
        return
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 8 <= len(key.strip()) <= 100:
        case.headers["Idempotency-Key"] = f"known-{number}"
    if isinstance(case.body, dict) and str(case.body.get("document")).startswith("KNOWN-"):
        case.body = case.body | {"document": f"KNOWN-{number}"}


@schemathesis.hook
def after_call(context, case, response):
    statuses = ANSWERS.get(f"{case.operation.method.upper()} {case.operation.path}")
    # What it asks by another method tells nothing of this endpoint.
    if statuses is not None and case.method.upper() == case.operation.method.upper():
        statuses[str(response.status_code)] += 1


@atexit.register
def write():
    with open(os.environ["KNOWN_ANSWERS"], "w", encoding="utf-8") as file:
        json.dump(ANSWERS, file)

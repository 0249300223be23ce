#!/usr/bin/env python3
"""A day at three tills, against a real server on this machine: 1,000 receipts of the sample and 60 returns.

    end2end/till/day.py [--program target/debug/kabinet] [--site target/site] [--receipts 1000] [--returns 60]

The first till is cut off for two hours of the day, with points reserved for a sale; customers join there meanwhile, and its
receipts come later in a batch, in no order. The second is killed three times: at any moment, with points reserved for a sale
that never comes, and between an answer and the note of it; each time it is started again. The third sends everything twice.
Customers join at the till, pay with points and bring goods back. At the end
the books are verified, and every receipt is compared with what this file reckons by itself from the tills' journals, the terms
of the program and a rule: what it earned, and what points paid. The sums of that are compared with the postings that the
shop's accounts get. Then every customer's pages are read: each point has
to be explained there by its line, its lot and the version of what gave it, each rule says what became of it, and each receipt
how many points paid. Everything
happens in a temporary folder and ends by itself; the exit code is 0 where all agrees. Where it does not, the folder stays.
"""

import argparse
import csv
import datetime
import gzip
import hashlib
import html
import html.parser
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "docs" / "api"))
from till import Refused, Till, Unreached  # noqa: E402  (the client that the documentation gives away)

TILLS = ["day-1", "day-2", "day-3"]
OPENS = 8 * 60  # minutes of the day
CLOSES = 20 * 60
CUT_OFF = (12 * 60, 14 * 60)  # the first till
# Of the second till: in which moment, and after how much of the day. Points are reserved while there are some left.
DEATHS = {"reserved": 1 / 10, "answered": 2 / 3}
SHARE = 300  # the club pays 3 %, in hundredths of a percent; server content, crm/content
DEAR, MORE = 5_00, 200  # the rule of the day: 2 % more on what costs 5.00 or more
PREFIX = "290"


def check_digit(twelve):
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(twelve))
    return str(-total % 10)


def sample(count):
    """The first receipts of the sample with something to pay, as lines of (article, name, quantity, price)."""
    path = ROOT / "server" / "demo" / "online_retail_sample.csv.gz"
    if not path.exists():
        sys.exit(f"the sample is missing: {path}")
    receipts = defaultdict(list)
    with gzip.open(path) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")):
            quantity, price = int(float(row["Quantity"])), round(float(row["UnitPrice"]) * 100)
            if quantity > 0 and price > 0 and not row["InvoiceNo"].startswith("C"):
                name = row["Description"].strip() or row["StockCode"]
                receipts[row["InvoiceNo"]].append([row["StockCode"], name, quantity, price])
    return list(receipts.values())[:count]


def plan(arguments, cards):
    """What happens at each till, in order: made once with a fixed seed, so that a till that is started again knows it."""
    rng = random.Random(20261126)
    receipts = sample(arguments.receipts)
    if len(receipts) < arguments.receipts:
        sys.exit(f"the sample has only {len(receipts)} receipts")
    events = {till: [] for till in TILLS}
    sold, joins_cut_off = [], False
    for number, lines in enumerate(receipts):
        minute = OPENS + (CLOSES - OPENS) * number // len(receipts)
        till = TILLS[number % 3]
        document = f"{till}-{number:05}"
        event = {"what": "sale", "document": document, "minute": minute, "lines": lines, "card": None, "points": 0}
        cut_off = is_cut_off(till, minute)
        if rng.random() < 0.85:
            event["card"] = rng.choice(cards)
            if rng.random() < 0.25 or cut_off:
                event["points"] = rng.choice([100, 300, 1000])
        if number % 50 == 7 or cut_off and not joins_cut_off:
            joins_cut_off |= cut_off
            twelve = f"{PREFIX}9{number:08}"
            event["card"], event["points"] = twelve + check_digit(twelve), 0
            event["join"] = f"+7900{7_000_000 + number}"
        events[till].append(event)
        sold.append((till, event))
    for till, event in rng.sample(sold[: len(sold) * 3 // 4], arguments.returns):
        place = rng.randrange(len(event["lines"]))
        article, _, quantity, price = event["lines"][place]
        back = {
            "what": "return",
            "document": f"{event['document']}-R",
            "minute": min(event["minute"] + rng.randrange(5, 180), CLOSES),
            "line": [article, rng.randint(1, quantity), price],
            "original": [event["document"], place + 1],
        }
        events[till].append(back)
    for of_till in events.values():
        of_till.sort(key=lambda event: event["minute"])
    return events


def is_cut_off(till, minute):
    return till == TILLS[0] and CUT_OFF[0] <= minute < CUT_OFF[1]


class DayTill(Till):
    """A till that sends a batch in no order, and dies when it is told to."""

    def __init__(self, *words):
        self.answers, self.dies, self.in_batches = {}, set(), 0
        super().__init__(*words)

    def ask(self, method, path, body=None, key=None):
        self.answers[key] = super().ask(method, path, body, key)
        return self.answers[key]

    def _send_batch(self, entries, told):
        entries = list(entries)
        random.Random(20261126).shuffle(entries)
        self.in_batches += len(entries)
        return super()._send_batch(entries, told)

    def _write(self, *entries):
        for entry in entries:
            if self._open.get(entry.get("done"), {}).get("path") == "/purchases":
                self.die("answered", entry["done"])
        super()._write(*entries)

    def die(self, moment, of_what):
        """As by a cut of the power, if this is the moment; what it was about is left for whoever looks."""
        if moment in self.dies:
            Path(f"{self.journal}.{moment}").write_text(of_what)
            os.kill(os.getpid(), signal.SIGKILL)


def play(arguments):
    """One till's day. Started again it goes on where its journal says it was."""
    with open(arguments.plan, encoding="utf-8") as file:
        events = json.load(file)[arguments.till]
    midnight = datetime.datetime.fromisoformat(arguments.midnight)
    till = DayTill(arguments.url, arguments.key, f"{arguments.folder}/{arguments.till}.journal")
    progress = Path(f"{arguments.folder}/{arguments.till}.progress")
    done = int(progress.read_text() or 0) if progress.exists() else 0
    twice = arguments.till == TILLS[2]
    said = Counter()
    # What a till does first when it is switched on.
    for entry, problem in till.send_again():
        said[problem["code"]] += 1
    till.let_go()
    answered = Path(f"{till.journal}.answered")
    if answered.exists() and answered.read_text() in till.answers:
        # Under the same key it is the same answer, word for word: under another one the receipt would be known.
        said["answered as before"] += till.answers[answered.read_text()]["known"] is False
    was_started_again = done > 0

    def change(path, body):
        try:
            answer = till.change(path, body)
            if twice:
                # As a till does that lost the answer: the same again, under another key.
                again = till.change(path, body)
                if answer and again and "document" in body:
                    said["sent twice"] += again["known"]
            return answer
        except Refused as error:
            said[error.problem["code"]] += 1
            return None

    for number, event in enumerate(events):
        if number < done:
            continue
        if was_started_again:
            was_started_again = False
            if is_booked(till, event["document"]):
                progress.write_text(str(number + 1))
                continue
        if arguments.till == TILLS[1]:
            due = {moment for moment, share in DEATHS.items() if number >= share * len(events)}
            till.dies = {moment for moment in due if not Path(f"{till.journal}.{moment}").exists()}
        till.is_online = not is_cut_off(arguments.till, event["minute"])
        if till.is_online and till.waiting():
            for entry, problem in till.send_again():
                said[problem["code"]] += 1
        at = (midnight + datetime.timedelta(minutes=event["minute"])).isoformat()
        if event["what"] == "return":
            article, quantity, price = event["line"]
            document, place = event["original"]
            change("/returns", {
                "document": event["document"], "at": at,
                "lines": [{"article": article, "quantity": quantity, "price": price,
                           "original": {"document": document, "line": place}}],
            })
        else:
            if event.get("join"):
                change("/customers", {"phone": event["join"], "card": event["card"], "at": at})
                said["joined while cut off"] += not till.is_online
            sale = {
                "document": event["document"], "at": at,
                "lines": [{"article": a, "name": n, "quantity": q, "price": p} for a, n, q, p in event["lines"]],
            }
            if event["card"]:
                sale["card"] = event["card"]
            # Whoever is cut off cannot ask for points; but once the net goes when the cashier has just asked.
            goes = not till.is_online and not said["reserved before it was cut off"]
            if event["points"] and event["card"] and (till.is_online or goes):
                till.is_online = True
                redeem = reserve(till, event, sale["lines"], said)
                till.is_online = not goes
                if redeem:
                    sale["redeem"] = redeem
                    said["reserved before it was cut off"] += goes
            change("/purchases", sale)
        # Where it was. Whoever is killed before this line does the last event again: it is known by its number.
        progress.write_text(str(number + 1))
        time.sleep(arguments.pause)
    till.is_online = True
    for entry, problem in till.send_again():
        said[problem["code"]] += 1
    if till.waiting():
        sys.exit(f"{arguments.till}: {len(till.waiting())} changes were never answered: {till.trouble}")
    said["sent in a batch"] = till.in_batches
    print(json.dumps({words: times for words, times in said.items() if times}))


def is_booked(till, document):
    """Whether the receipt of the event in which the till was killed is there."""
    try:
        till.ask("GET", f"/purchases/{document}")
        return True
    except Refused as error:
        if error.status == 404:
            return False
        raise


def reserve(till, event, lines, said):
    """Points for a sale, if the customer has them: what a cashier asks before. What rules take off is taken off the lines."""
    try:
        who = till.ask("POST", "/customers/identify", {"card": event["card"]})
        total = sum(line["quantity"] * line["price"] for line in lines)
        quote = till.ask("POST", "/quotes", {"customer": who["customer"], "lines": lines})
        if quote["total"] != total - quote["discount"]:
            sys.exit(f"{event['document']}: lines of {total} are quoted {quote['total']} with {quote['discount']} off")
        for line, quoted in zip(lines, quote["lines"]):
            line["discount"] = line["rule_discount"] = quoted["discount"]
        points = min(event["points"], quote["payable"]["most"])
        if points <= 0:
            said["no points"] += 1
            return None
        held = till.reserve(who["customer"], points)
        till.die("reserved", held["reservation"])
        return {"reservation": held["reservation"], "points": points}
    except Refused as error:
        said[error.problem["code"]] += 1
    except Unreached:
        said["not reached"] += 1
    return None


def free_port():
    """A free port below those that the system hands out by itself (32768 and up), so that nobody takes it meanwhile."""
    for port in range(10_000 + os.getpid() % 20_000, 32_000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if s.connect_ex(("127.0.0.1", port)) != 0:
                return port
    sys.exit("no free port")


def wait_until_ready(url, server):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit("the server ended by itself")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not get ready")


def sent_sales(folder):
    """The sales that the tills' journals have, by their numbers, as they were sent; without those that were refused."""
    sales, refused = {}, set()
    for till in TILLS:
        for line in (folder / f"{till}.journal").read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the till was killed in the middle of it
            if "refused" in entry:
                refused.add(entry["refused"])
            elif entry.get("path") == "/purchases":
                sales[entry["key"]] = entry["body"]
    return {sale["document"]: sale for key, sale in sales.items() if key not in refused}


def spread(points, shares):
    """Points over lines in proportion, by the largest remainder, the earlier of equals first."""
    whole = sum(shares) or 1
    parts = [points * share // whole for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: -(points * shares[place] % whole))
    for place in by_remainder[: points - sum(parts)]:
        parts[place] += 1
    return parts


def reckon(events, members, sales):
    """What each sale has to have earned in the club, how many points paid, and how many of these went back with what was
    brought back. What was taken off lines and what points paid earns nothing."""
    reckoned, back = {}, defaultdict(int)
    for event in (event for of_till in events.values() for event in of_till):
        if event["what"] == "return":
            document, place = event["original"]
            back[document, place] += event["line"][1]
    for event in (event for of_till in events.values() for event in of_till):
        if event["what"] != "sale":
            continue
        sale = sales.get(event["document"])
        if sale is None:
            continue  # it was not sent, or refused: that is told by the number of sales
        costs = [line["quantity"] * line["price"] - line.get("discount", 0) for line in sale["lines"]]
        paid = sale.get("redeem", {}).get("points", 0)
        earned, given_back = 0, 0
        for place, (line, cost, part) in enumerate(zip(sale["lines"], costs, spread(paid, costs)), 1):
            returned, quantity = back[event["document"], place], line["quantity"]
            if event["card"] in members:
                left = cost - part
                points = left * SHARE // 10_000 + (left * MORE // 10_000 if line["price"] >= DEAR else 0)
                earned += points - points * returned // quantity
            given_back += part * returned // quantity
        reckoned[event["document"]] = (earned, paid, given_back)
    return reckoned


def stored(moment):
    """A time as the database keeps it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def publish_rule(database):
    """A rule that counts for the whole day: a marketer published it two days ago."""
    rule, program = uuid.uuid4().bytes, database.execute("SELECT id FROM programs WHERE code = 'club'").fetchone()[0]
    club = str(uuid.UUID(bytes=program))
    definition = {
        "name": {"ru": "Больше за дорогое", "en": "More for what is dear"},
        "conditions": [{"price": {"at_least": DEAR}}],
        "effects": [{"points_share": {"program": club, "share": MORE}}],
    }
    at = stored(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2))
    database.execute("INSERT INTO rules (id, created_at) VALUES (?, ?)", (rule, at))
    database.execute(
        "INSERT INTO rule_versions (rule_id, version, state, definition, changed_at, effective_at, published_at) "
        "VALUES (?, 1, 'published', ?, ?, ?, ?)", (rule, json.dumps(definition), at, at, at))
    database.commit()


def main(arguments):
    for name in ("program", "site"):
        if not Path(getattr(arguments, name)).exists():
            sys.exit(f"--{name}: there is no {getattr(arguments, name)}")
    folder = Path(tempfile.mkdtemp(prefix="kabinet-day-"))
    wrong = ["it did not come to its end"]
    try:
        wrong = day(arguments, folder)
    except (Refused, Unreached, OSError, sqlite3.Error) as error:
        print(f"the day stopped: {type(error).__name__}: {error}")
    finally:
        if wrong:
            log = folder / "server.log"
            if log.exists():
                print("the server's last words:", *log.read_text(errors="replace").splitlines()[-20:], sep="\n  ")
            print(f"what is left of the day is in {folder}")
        else:
            shutil.rmtree(folder)
    for line in wrong:
        print("WRONG:", line)
    print(f"day at the tills: {'all agrees' if not wrong else f'{len(wrong)} places differ'}")
    sys.exit(1 if wrong else 0)


def day(arguments, folder):
    """The day from the first customer to the last page that they read; what is wrong afterwards."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "KABINET_DATABASE_URL": f"sqlite:{folder}/kabinet.db",
        "KABINET_LISTEN": f"127.0.0.1:{port}",
        "KABINET_PUBLIC_URL": url,
        "KABINET_SITE_DIR": str(Path(arguments.site).resolve()),
        "KABINET_LOG": "warn",
        "KABINET_LIMITS__REQUESTS_PER_TILL": "0",
        "KABINET_LIMITS__PAGES_PER_NETWORK": "0",
        "KABINET_LIMITS__PAGES_PER_SESSION": "0",
    }
    program = str(Path(arguments.program).resolve())

    def kabinet(*words):
        done = subprocess.run([program, *words], env=environment, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"kabinet {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    print("fills a demonstration …", flush=True)
    kabinet("demo", "--small")
    scopes = "customers,purchases,points,catalogue"
    keys = {till: kabinet("till", "add", till, till, "--source", "shop", "--scopes", scopes).strip() for till in TILLS}
    books = Till(url, kabinet("till", "add", "books", "books", "--scopes", "accounting").strip(), folder / "books.journal")
    database = sqlite3.connect(folder / "kabinet.db")
    members = {
        number
        for (number,) in database.execute(
            "SELECT k.number FROM cards k JOIN memberships m ON m.customer_id = k.customer_id AND m.left_at IS NULL "
            "JOIN programs p ON p.id = m.program_id AND p.code = 'club' WHERE k.state = 'active'"
        )
    }
    cards = sorted(members)[:400]
    publish_rule(database)
    database.close()
    events = plan(arguments, cards)
    joined = {event["card"] for of_till in events.values() for event in of_till if event.get("join")}
    (folder / "plan.json").write_text(json.dumps(events))
    # The day lies ahead: the terms of today count, and a till's clock may be a day ahead of the server's.
    midnight = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=OPENS - 1)

    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen([program, "serve"], env=environment, cwd=folder, stdout=log, stderr=log)
    started = []
    try:
        wait_until_ready(url, server)
        asks = Till(url, keys[TILLS[0]], folder / "asks.journal")
        asks.change("/cards", {"numbers": sorted(joined)})
        before = postings(books)

        def start(till):
            words = [sys.executable, __file__, "--till", till, "--plan", str(folder / "plan.json"), "--url", url]
            words += ["--key", keys[till], "--folder", str(folder), "--midnight", midnight.isoformat()]
            words += ["--pause", str(arguments.pause)]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            started.append(process)
            return process

        print(f"plays the day of {arguments.receipts} receipts and {arguments.returns} returns …", flush=True)
        began = time.monotonic()
        running = {till: start(till) for till in TILLS}
        wrong = kill_and_revive(asks, running, start, folder, len(events[TILLS[1]]))
        said = {}
        for till, process in running.items():
            words, _ = process.communicate()
            if process.returncode:
                sys.exit(f"{till} failed ({process.returncode})")
            said[till] = json.loads(words)
            print(f"{till}: {said[till] or 'nothing to say'}")
        print(f"the day took {time.monotonic() - began:.0f} s")
        tried = [(TILLS[0], "sent in a batch"), (TILLS[0], "joined while cut off"), (TILLS[0], "reserved before it was cut off"),
                 (TILLS[1], "answered as before"), (TILLS[2], "sent twice")]
        wrong += [f"{till} did not tell that it was \"{words}\"" for till, words in tried if not said[till].get(words)]
        reckoned = reckon(events, members | joined, sent_sales(folder))
        wrong += compare(arguments, asks, reckoned, len(joined), folder)
        wrong += account(books, before, reckoned)
        wrong += explain(url, folder, reckoned)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    print(kabinet("ledger", "verify").strip())
    return wrong


def kill_and_revive(asks, running, start, folder, count):
    """Kills the second till after a third of the day, and starts it again each time it died. Afterwards what it had reserved
    for a sale that never came must be let go."""
    till, wrong, reserved = TILLS[1], [], None
    progress = folder / f"{till}.progress"
    is_killed = False
    while True:
        done = int(progress.read_text() or 0) if progress.exists() else 0
        if not is_killed and done >= count // 3:
            is_killed = True
            running[till].send_signal(signal.SIGKILL)
            running[till].wait()
        # It says little, so that it ends though nobody reads it.
        code = running[till].poll()
        if code is None:
            time.sleep(0.02)
        elif code == -signal.SIGKILL:
            marker = folder / f"{till}.journal.reserved"
            if marker.exists() and not reserved:
                reserved = f"/reservations/{marker.read_text()}"
                state = asks.ask("GET", reserved)["state"]
                if state != "held":
                    wrong.append(f"what the second till had reserved when it died was {state}")
            print(f"the second till died after {done} of {count} events and is started again", flush=True)
            running[till] = start(till)
        elif code:
            sys.exit(f"{till} failed ({code})")
        elif not is_killed:
            sys.exit("the second till ended before it could be killed: play more receipts")
        else:
            break
    deaths = [moment for moment in DEATHS if not (folder / f"{till}.journal.{moment}").exists()]
    wrong += [f"the second till did not die when something was {moment}" for moment in deaths]
    state = asks.ask("GET", reserved)["state"] if reserved else "never there"
    if state != "cancelled":
        wrong.append(f"what the second till had reserved when it died is {state} afterwards")
    return wrong


def postings(books):
    """What the shop's accounts get: the points by program, account and reason."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    span = [today + datetime.timedelta(days=days) for days in (-2, 2)]
    sums = Counter()
    while True:
        try:
            told = books.ask("GET", f"/exports/postings?from={span[0]}&to={span[1]}")
            break
        except Refused as error:
            # Just after midnight, where the shop is: the day before is told when all of it is there.
            if error.problem["code"] != "day_open":
                raise
            time.sleep(30)
    for posted in told["postings"]:
        sums[posted["program"], posted["account"], posted["kind"]] += posted["points"]
    return sums


def account(books, before, reckoned):
    """Compares what points paid, and what went back of it, with the postings of the day."""
    day = postings(books)
    day.subtract(before)
    paid, given_back = (sum(sale[part] for sale in reckoned.values()) for part in (1, 2))
    expected = {("club", "spent", "redemption"): paid, ("club", "active", "redemption"): -paid,
                ("club", "spent", "refund"): -given_back}
    wrong = [f"{' '.join(what)}: {day[what]} points are posted and should be {points}"
             for what, points in expected.items() if day[what] != points]
    elsewhere = {what for what, points in day.items() if what[2] == "redemption" and points} - set(expected)
    wrong += [f"{' '.join(what)}: {day[what]} points are posted and nobody asked for them" for what in sorted(elsewhere)]
    refunds = sum(points for what, points in day.items() if what[2] == "refund")
    if refunds:
        wrong.append(f"refunds do not balance: {refunds}")
    print(f"{paid / 100:.2f} points paid and {given_back / 100:.2f} of them went back; so say the postings" if not wrong else
          "the postings differ")
    if not paid or not given_back:
        wrong.append("no points paid, or none went back: nothing was tried")
    return wrong


def compare(arguments, till, reckoned, joined, folder):
    """Asks for every receipt and compares it with what it should be."""
    wrong = []
    paid_with_points = 0
    for document, (earned, paid, given_back) in reckoned.items():
        receipt = till.ask("GET", f"/purchases/{document}")
        told = sum(part["points"] for part in receipt["earned"] if part["program"] == "club")
        if told != earned:
            wrong.append(f"{document} earned {told} and should have {earned}")
        told = sum(part["points"] for part in receipt["paid"])
        if told != paid - given_back or receipt["unpaid"]:
            wrong.append(f"{document}: the till subtracted {paid} points, {given_back} of them went back, and {told} paid "
                         f"({receipt['unpaid']} unpaid)")
        paid_with_points += paid > 0
    database = sqlite3.connect(f"file:{folder}/kabinet.db?mode=ro", uri=True)
    (sales,) = database.execute("SELECT COUNT(*) FROM purchases WHERE source = 'shop' AND kind = 'sale'").fetchone()
    (returns,) = database.execute("SELECT COUNT(*) FROM purchases WHERE source = 'shop' AND kind = 'return'").fetchone()
    (waiting,) = database.execute("SELECT COUNT(*) FROM waiting_returns").fetchone()
    (enrolled,) = database.execute("SELECT COUNT(*) FROM enrolments").fetchone()
    (held,) = database.execute("SELECT COUNT(*) FROM reservations WHERE state = 'held'").fetchone()
    database.close()
    if (sales, returns, waiting) != (arguments.receipts, arguments.returns, 0):
        wrong.append(f"{sales} sales, {returns} returns, {waiting} waiting")
    if len(reckoned) != arguments.receipts:
        wrong.append(f"the journals have {len(reckoned)} sales that were not refused")
    if enrolled != joined:
        wrong.append(f"{enrolled} customers joined and should be {joined}")
    if held:
        wrong.append(f"{held} reservations are still held, and no till knows of them")
    print(f"{sales} sales and {returns} returns are booked, {enrolled} customers joined, points paid for {paid_with_points} "
          f"receipts, {held} reservations are still held")
    if not paid_with_points or not enrolled:
        wrong.append("nobody paid with points, or nobody joined: nothing was tried")
    return wrong


class Rows(html.parser.HTMLParser):
    """The rows of the tables that explain points: of each the words in its cells."""

    def __init__(self):
        super().__init__()
        self.rows, self.cell = [], None

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self.cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


def explain(url, folder, reckoned):
    """Reads the pages of every customer who has points of the day, as they would."""
    wrong, read = [], Counter()
    database = sqlite3.connect(folder / "kabinet.db", timeout=30)
    now = datetime.datetime.now(datetime.timezone.utc)
    receipts = database.execute(
        "SELECT t.customer_id, p.id, p.document, COUNT(*), SUM(a.points), COUNT(DISTINCT t.id) FROM accruals a "
        "JOIN lots t ON t.id = a.lot_id JOIN purchase_lines l ON l.id = a.line_id JOIN purchases p ON p.id = l.purchase_id "
        "WHERE p.source = 'shop' GROUP BY t.customer_id, p.id ORDER BY t.customer_id").fetchall()
    paying = database.execute(
        "SELECT DISTINCT t.customer_id, p.id, p.document FROM transactions t JOIN purchases p ON p.id = t.purchase_id "
        "WHERE p.source = 'shop' AND p.kind = 'sale' AND t.kind = 'redemption'").fetchall()
    moved = database.execute(
        "SELECT DISTINCT t.customer_id FROM transactions t JOIN purchases p ON p.id = t.purchase_id WHERE p.source = 'shop'")
    tokens = {}
    for customer in {receipt[0] for receipt in receipts} | {customer for (customer,) in moved}:
        # A session as a sign-in opens one; hundreds of codes from one network would be refused.
        tokens[customer] = uuid.uuid4().hex
        database.execute(
            "INSERT INTO sessions (id, token_hash, customer_id, device, network, created_at, seen_at, expires_at, "
            "authenticated_at) VALUES (?, ?, ?, 'day', '127.0.0.1', ?, ?, ?, ?)",
            (uuid.uuid4().bytes, hashlib.sha256(tokens[customer].encode()).digest(), customer, stored(now), stored(now),
             stored(now + datetime.timedelta(days=1)), stored(now)))
    database.commit()
    database.close()

    def page(customer, path):
        asked = urllib.request.Request(url + path, headers={"cookie": f"kabinet={tokens[customer]}", "accept-language": "ru"})
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                read["pages"] += 1
                return answer.read().decode()
        except OSError as error:
            raise OSError(f"{path} was not shown to a customer: {error}") from error

    def points(words, language):
        figure = words.replace(",", "") if language == "en" else words.replace(",", ".")
        return round(float(re.sub(r"[^0-9.]", "", figure) or 0) * 100)

    asked_why = set()
    for customer, purchase, document, lines, total, lots in receipts:
        at = f"/purchases/{uuid.UUID(bytes=purchase)}"
        rows, told = Rows(), page(customer, at)
        rows.feed(told)
        language = re.search('<html[^>]* lang="(..)"', told)[1]
        # Some of them read English.
        explained = [row for row in rows.rows if len(row) == 2 and re.search("верси[яи] [0-9]|version [0-9]", row[0])]
        by_rule = [row for row in explained if re.search("за дорогое, версия 1|what is dear, version 1", row[0])]
        shown = sum(points(row[1].split("−")[0], language) for row in explained)
        if len(explained) != lines or shown != total:
            wrong.append(f"{document}: {len(explained)} of {lines} lines are explained, {shown} of {total} points")
        terms = re.findall("<dt>(?:Сгорят|Сгорели|Expire on|Expired on)</dt><dd>[^<]+</dd>", told)
        if len(terms) < lots:
            wrong.append(f"{document}: {len(terms)} of {lots} lots say when they expire")
        if customer not in asked_why:
            asked_why.add(customer)
            answers = re.findall('<li class="row">(.*?)</li>', page(customer, f"{at}/why"), re.DOTALL)
            silent = [answer for answer in answers if not re.search("<small>[^<]+</small>|row-end", answer)]
            if silent or not any(re.search("за дорогое|what is dear", answer) for answer in answers):
                wrong.append(f"{document}: {len(silent)} of {len(answers)} rules say nothing, or that of the day is missing")
            read["rules"] += len(answers)
        read["lines"] += len(explained)
        read["lines with a rule"] += len(by_rule)
    def by_points(told, language, words):
        return sum(points(figure, language) for figure in re.findall(f"<div><dt>(?:{words})</dt><dd>([^<]*)</dd>", told))

    for customer, purchase, document in paying:
        told = page(customer, f"/purchases/{uuid.UUID(bytes=purchase)}")
        language = re.search('<html[^>]* lang="(..)"', told)[1]
        _, paid, given_back = reckoned.get(document, (0, 0, 0))
        shown = by_points(told, language, "Оплачено баллами|Paid with points")
        shown_back = by_points(told, language, "Вернулись с возвратом|Given back with a return")
        if (shown, shown_back) != (paid, given_back):
            wrong.append(f"{document}: the till subtracted {paid} points and {given_back} went back; the customer reads {shown} "
                         f"and {shown_back}")
        read["paid with points"] += 1
    owing = {document for document, (_, paid, _) in reckoned.items() if paid} - {document for _, _, document in paying}
    wrong += [f"{document}: the till subtracted points, and no page tells it" for document in sorted(owing)]
    for customer in tokens:
        at = "/points"
        while at:
            statement = page(customer, at)
            for entry in statement.split('<details class="entry">')[1:]:
                entry = entry.split("</details>")[0]
                read["movements"] += 1
                has_text = re.search(r"<p>[^<]+</p>", entry)
                has_cause = re.search(r'href="/(purchases|points)[^"]*"|<dt>(Правило|Rule)</dt>|Исправ|Correct|Сгорели|Expired|Стали доступны|Ready to spend', entry)
                # Which lot: each is known by the day on which it expires. Only a debt is of no lot.
                has_lot = re.search("(?i)сгор|expire|долг|debt", re.sub("<[^>]*>", " ", entry.split('<dl class="kv">')[-1]))
                if not has_text or not has_cause or not has_lot:
                    wrong.append(f"a movement is not explained: {re.sub('<[^>]*>', ' ', entry)[:200]}")
            if re.search("ничего не записано|Nothing more is recorded", statement):
                wrong.append("a movement says no more than its sum")
            more = re.search(r'href="(/points\?before=[^"]+)" rel="next"', statement)
            at = more and html.unescape(more[1])
    print(f"{len(tokens)} customers read {read['pages']} pages: {read['lines']} lines of receipts, {read['lines with a rule']} "
          f"of them with a rule, {read['rules']} rules of receipts and {read['movements']} movements are explained, "
          f"{read['paid with points']} receipts tell what points paid")
    if not read["lines with a rule"]:
        wrong.append("no rule gave anything: nothing was tried")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__)[0])
    parser.add_argument("--program", default=str(ROOT / "target" / "debug" / "kabinet"))
    parser.add_argument("--site", default=str(ROOT / "target" / "site"))
    parser.add_argument("--receipts", type=int, default=1000)
    parser.add_argument("--returns", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between the events of a till")
    for name in ("till", "plan", "url", "key", "folder", "midnight"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        play(given) if given.till else main(given)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except (Refused, Unreached, OSError, ValueError) as error:
        sys.exit(f"{given.till or 'the day'} stopped: {type(error).__name__}: {error}")

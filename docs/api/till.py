#!/usr/bin/env python3
"""A till's side of the API in one file, to be copied: nothing but Python's own library.

Every change is written to a journal before it is sent, and struck out when it is done; so a till that was cut off,
or switched off in the middle, sends again what is not answered, under the same keys. The server does each once. What waits
goes before what is new: who joined first, then the receipts, many of them in a batch. What was
refused is not sent again and stays in the journal, with the reason, until a person has seen to it: the goods are gone.
One program at a time works with a journal.

    till = Till("http://localhost:3000", "kbt_…", "journal.jsonl")
    till.send_again()
    till.let_go()
    anna = till.ask("POST", "/customers/identify", {"card": "2900000000018"})
    held = till.reserve(anna["customer"], 1000)
    redeem = {"reservation": held["reservation"], "points": 1000}
    till.change("/purchases", {"document": "T1-0001", "at": now(), "customer": anna["customer"], "lines": […], "redeem": redeem})
"""

import datetime
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

RECEIPTS = ["/purchases", "/returns"]
ORDER = ["/cards", "/customers", *RECEIPTS]  # what others build on goes first, and what is about receipts last
BATCH = 500  # the most receipts that the server takes at once


def now():
    """The time as receipts carry it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def rank(entry):
    """Its place among what waits."""
    if entry["method"] == "PUT":
        return 0  # shops and articles
    return ORDER.index(entry["path"]) if entry["path"] in ORDER else len(ORDER)


class Refused(Exception):
    """The server did not do it, and sending the same again will not help. `problem` says why (RFC 9457)."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem.get('code')}: {problem}")
        self.status, self.problem = status, problem


class Unreached(Exception):
    """Nobody answered, or not now: send the same again later."""


class Till:
    def __init__(self, url, key, journal, timeout=30):
        self.api, self.key, self.journal, self.timeout = url + "/api/v1", key, journal, timeout
        self.is_online = True
        self.trouble = None  # why the last change was not answered: for a person, where it does not pass
        self._open = {}  # what is not struck out, by its key, the oldest first
        if os.path.exists(journal):
            with open(journal, "rb") as lines:
                for line in lines:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue  # cut off while it was written: it was never sent
                    self._count(entry)

    def ask(self, method, path, body=None, key=None):
        """One request; the answer as an object."""
        if not self.is_online:
            raise Unreached("the till is cut off")
        request = urllib.request.Request(self.api + path, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        if key:
            request.add_header("Idempotency-Key", key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 429:
                time.sleep(int(error.headers.get("Retry-After", "1")))
                return self.ask(method, path, body, key)
            problem = said_by(error)
            # A key that is not good says nothing about the change, and neither does somebody between us and the server.
            if error.code == 401 or error.code >= 500 or "code" not in problem:
                raise Unreached(f"{error.code} {problem.get('code', '')}") from error
            raise Refused(error.code, problem) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreached(str(error)) from error

    def change(self, path, body, method="POST"):
        """A change that is not lost: `None` where nobody answered, and then it waits in the journal. What waits there goes
        first."""
        key = str(uuid.uuid4())
        self._write({"key": key, "method": method, "path": path, "body": body})
        answer = self._send_waiting().get(key)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def reserve(self, customer, points):
        """Points that shall pay for the sale that goes on. Written down first, so that a till that dies with them lets them
        go when it is started again."""
        key, body = str(uuid.uuid4()), {"customer": customer, "points": points}
        self._write({"key": key, "method": "POST", "path": "/reservations", "body": body})
        try:
            held = self.ask("POST", "/reservations", body, key)
        except Refused:
            self._write({"done": key})
            raise
        self._write({"held": key, "reservation": held["reservation"]})
        return held

    def let_go(self):
        """Lets go what is reserved and no sale in the journal takes: when the till is started, and when a sale is broken
        off."""
        for entry in [entry for entry in self._open.values() if entry["path"] == "/reservations"]:
            try:
                # Where the answer got lost the same key gets it again.
                held = entry.get("reservation") or self.ask("POST", "/reservations", entry["body"], entry["key"])["reservation"]
                self.ask("POST", f"/reservations/{held}/cancel", {}, f"cancel-{held}")
            except Refused:
                pass  # it has ended already
            except Unreached as error:
                self.trouble = str(error)
                return
            self._write({"done": entry["key"]})

    def waiting(self):
        """What is not answered yet, in the order in which it will be sent."""
        is_waiting = [e for e in self._open.values() if "problem" not in e and e["path"] != "/reservations"]
        return sorted(is_waiting, key=rank)

    def refused(self):
        """What was refused, each with its `problem`, the oldest first: for a person to look at."""
        return [entry for entry in self._open.values() if "problem" in entry]

    def settle(self, key):
        """A person has seen to what was refused."""
        self._write({"done": key})

    def send_again(self):
        """Sends what is not answered yet. Tells what was refused."""
        waiting = {entry["key"]: entry for entry in self.waiting()}
        told = self._send_waiting()
        return [(waiting[key], answer.problem) for key, answer in told.items() if isinstance(answer, Refused)]

    def _send_waiting(self):
        """Sends what waits, and tells what was answered, by the keys: as far as somebody answers."""
        told, waiting = {}, self.waiting()
        receipts = [entry for entry in waiting if entry["path"] in RECEIPTS]
        try:
            for entry in waiting:
                if entry["key"] in told:
                    continue  # it went with a batch
                if entry["path"] in RECEIPTS and len(receipts) > 1:
                    part, receipts = receipts[:BATCH], receipts[BATCH:]
                    if self._send_batch(part, told):
                        continue
                    receipts = []
                self._send(entry, told)
            self.trouble = None
        except Unreached as error:
            self.trouble = str(error)
        return told

    def _send(self, entry, told):
        key = entry["key"]
        try:
            told[key] = self.ask(entry["method"], entry["path"], entry["body"], key)
            self._write({"done": key})
        except Refused as error:
            told[key] = error
            self._write({"refused": key, "problem": error.problem})

    def _send_batch(self, entries, told):
        """Sends receipts at once, in whatever order. `False` where the batch was refused, be it for one of them: then each goes
        by itself."""
        sales = [entry for entry in entries if entry["path"] == "/purchases"]
        returns = [entry for entry in entries if entry["path"] == "/returns"]
        body = {"purchases": [entry["body"] for entry in sales], "returns": [entry["body"] for entry in returns]}
        # The same receipts are the same batch, should the till be switched off before they are struck out.
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(entry["key"] for entry in sales + returns)))
        try:
            answer = self.ask("POST", "/purchases/batch", body, key)
        except Refused:
            return False
        marks = []
        for entry, one in zip(sales + returns, answer["receipts"]):
            problem = one.get("problem")
            told[entry["key"]] = Refused(problem["status"], problem) if problem else one["receipt"]
            marks.append({"refused": entry["key"], "problem": problem} if problem else {"done": entry["key"]})
        self._write(*marks)
        return True

    def _write(self, *entries):
        with open(self.journal, "a+b") as journal:
            if journal.tell():
                journal.seek(-1, os.SEEK_END)
                if journal.read(1) != b"\n":
                    journal.write(b"\n")  # a power cut left half a line
            journal.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
            journal.flush()
            os.fsync(journal.fileno())
        for entry in entries:
            self._count(entry)

    def _count(self, entry):
        """What a line of the journal says about what is open."""
        if "done" in entry:
            self._open.pop(entry["done"], None)
        elif "refused" in entry:
            self._open.get(entry["refused"], {})["problem"] = entry["problem"]
        elif "held" in entry:
            self._open.get(entry["held"], {})["reservation"] = entry["reservation"]
        else:
            self._open[entry["key"]] = entry
            # From now on the points are the sale's, which is sent until it is answered.
            taken = (entry["body"].get("redeem") or {}).get("reservation")
            for key in [key for key, e in self._open.items() if taken and e.get("reservation") == taken]:
                del self._open[key]


def said_by(error):
    """The problem in an answer that is an error; empty where it is none of the server's."""
    try:
        problem = json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError):
        problem = None
    if error.code == 413 and not isinstance(problem, dict):
        problem = {"code": "too_large", "status": 413}  # said by a proxy
    return problem if isinstance(problem, dict) else {}


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("till.py URL KEY CARD: sells a tea to the holder of the card, and takes it back")
    url, key, card = sys.argv[1:]
    till = Till(url, key, "journal.jsonl")
    till.send_again()
    till.let_go()
    who = till.ask("POST", "/customers/identify", {"card": card})
    tea = {"article": "TEA-1", "name": "Black tea", "quantity": 1, "price": 34900}
    document = f"EXAMPLE-{uuid.uuid4()}"
    sold = till.change("/purchases", {"document": document, "at": now(), "customer": who["customer"], "lines": [tea]})
    print("earned", sum(part["points"] for part in sold["earned"]))
    back = {key: tea[key] for key in ("article", "quantity", "price")} | {"original": {"document": document, "line": 1}}
    till.change("/returns", {"document": f"{document}-R", "at": now(), "lines": [back]})
    left = till.ask("GET", f"/purchases/{document}")
    print("left", sum(part["points"] for part in left["earned"]))

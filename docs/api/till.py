#!/usr/bin/env python3
"""A till's side of the API in one file, to be copied: nothing but Python's own library.

Every change is written to a journal before it is sent, and struck out when it is done; so a till that was cut off,
or switched off in the middle, sends again what is not answered, under the same keys. The server does each once. What was
refused is not sent again and stays in the journal, with the reason, until a person has seen to it: the goods are gone.

    till = Till("http://localhost:3000", "kbt_…", "journal.jsonl")
    anna = till.ask("POST", "/customers/identify", {"card": "2900000000018"})
    till.change("/purchases", {"document": "T1-0001", "at": now(), "customer": anna["customer"], "lines": […]})
    till.send_again()
"""

import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid


def now():
    """The time as receipts carry it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


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
            text = error.read()
            if error.code == 429:
                time.sleep(int(error.headers.get("Retry-After", "1")))
                return self.ask(method, path, body, key)
            if error.code >= 500:
                raise Unreached(f"{error.code}") from error
            raise Refused(error.code, json.loads(text)) from error
        except OSError as error:
            raise Unreached(str(error)) from error

    def change(self, path, body, method="POST"):
        """A change that is not lost: `None` where nobody answered, and then it waits in the journal."""
        key = str(uuid.uuid4())
        self._write({"key": key, "method": method, "path": path, "body": body})
        return self._send(key, method, path, body)

    def _send(self, key, method, path, body):
        try:
            answer = self.ask(method, path, body, key)
        except Unreached:
            return None
        except Refused as error:
            self._write({"refused": key, "problem": error.problem})
            raise
        self._write({"done": key})
        return answer

    def waiting(self):
        """What is not answered yet, the oldest first."""
        return [entry for entry in self._open() if "problem" not in entry]

    def refused(self):
        """What was refused, each with its `problem`, the oldest first: for a person to look at."""
        return [entry for entry in self._open() if "problem" in entry]

    def settle(self, key):
        """A person has seen to what was refused."""
        self._write({"done": key})

    def _open(self):
        open_ = {}
        if os.path.exists(self.journal):
            with open(self.journal, encoding="utf-8") as lines:
                for line in lines:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue  # cut off while it was written: it was never sent
                    if "done" in entry:
                        open_.pop(entry["done"], None)
                    elif "refused" in entry:
                        open_.get(entry["refused"], {})["problem"] = entry["problem"]
                    else:
                        open_[entry["key"]] = entry
        return list(open_.values())

    def send_again(self):
        """Sends what is not answered yet. Tells what was refused."""
        refused = []
        for entry in self.waiting():
            try:
                if self._send(entry["key"], entry["method"], entry["path"], entry["body"]) is None:
                    break
            except Refused as error:
                refused.append((entry, error.problem))
        return refused

    def _write(self, entry):
        with open(self.journal, "a+b") as journal:
            if journal.tell():
                journal.seek(-1, os.SEEK_END)
                if journal.read(1) != b"\n":
                    journal.write(b"\n")  # a power cut left half a line
            journal.write(json.dumps(entry).encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("till.py URL KEY CARD: sells a tea to the holder of the card, and takes it back")
    url, key, card = sys.argv[1:]
    till = Till(url, key, "journal.jsonl")
    who = till.ask("POST", "/customers/identify", {"card": card})
    tea = {"article": "TEA-1", "name": "Black tea", "quantity": 1, "price": 34900}
    document = f"EXAMPLE-{uuid.uuid4()}"
    sold = till.change("/purchases", {"document": document, "at": now(), "customer": who["customer"], "lines": [tea]})
    print("earned", sum(part["points"] for part in sold["earned"]))
    back = {key: tea[key] for key in ("article", "quantity", "price")} | {"original": {"document": document, "line": 1}}
    till.change("/returns", {"document": f"{document}-R", "at": now(), "lines": [back]})
    left = till.ask("GET", f"/purchases/{document}")
    print("left", sum(part["points"] for part in left["earned"]))

#!/usr/bin/env python3
"""What becomes of a till's journal (docs/api/till.py), against a server of a few lines that may be told to fail.

    end2end/till/journal.py
"""

import json
import os
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "docs" / "api"))
from till import Refused, Till, Unreached  # noqa: E402

SALE = {"document": "1", "card": "2900000000018", "lines": []}


class Server(ThreadingHTTPServer):
    """Answers what a till sends, and keeps it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard, self.answers = [], {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, path, body):
        """Status and body. What `answers` has for a path goes before: a pair, or `None` for a connection that breaks."""
        if path in self.answers:
            return self.answers[path]
        if path == "/purchases/batch":
            receipts = [self.one(receipt) for receipt in body["purchases"] + body["returns"]]
            return 200, {"receipts": receipts}
        if path == "/reservations":
            return 201, {"reservation": f"held-{body['points']}"}
        return 201, {"known": False, "document": body.get("document")}

    def one(self, receipt):
        if receipt["document"] == "wrong":
            return {"document": "wrong", "problem": {"status": 409, "code": "card_blocked"}}
        return {"document": receipt["document"], "receipt": {"document": receipt["document"]}}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        path, text = self.path.removeprefix("/api/v1"), self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(text)
        self.server.heard.append((path, self.headers["Idempotency-Key"], body))
        answer = self.server.answer(path, body)
        if answer is None:
            self.close_connection = True
            return
        status, told = answer
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PUT = do_POST

    def log_message(self, *_):
        pass


class Journal(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.folder = tempfile.TemporaryDirectory()
        self.journal = os.path.join(self.folder.name, "journal.jsonl")
        self.till = self.start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def start(self):
        """The till, switched on: again, where it was on before."""
        return Till(f"http://127.0.0.1:{self.server.server_port}", "kbt_key", self.journal)

    def paths(self):
        return [path for path, _, _ in self.server.heard]

    def sell(self, *documents):
        return [self.till.change("/purchases", SALE | {"document": document}) for document in documents]

    def test_what_waits_goes_before_what_is_new(self):
        self.till.is_online = False
        self.sell("1")
        self.till.change("/purchases/1/void", {})
        self.till.change("/customers", {"phone": "+79000000045"})
        self.till.change("/cards", {"numbers": ["2900000000018"]})
        self.assertEqual(self.server.heard, [])
        self.till.is_online = True
        self.till.change("/returns", {"document": "1-R", "lines": []})
        self.assertEqual(self.paths(), ["/cards", "/customers", "/purchases/batch", "/purchases/1/void"])
        self.assertEqual(self.till.waiting(), [])

    def test_nothing_is_overtaken_where_the_first_is_not_answered(self):
        self.till.is_online = False
        self.till.change("/customers", {"phone": "+79000000045"})
        self.till.is_online = True
        for answer in [None, (503, {"code": "unavailable"}), (401, {"code": "unauthorized"}), (403, b"<html>Sign in</html>"),
                       (200, b"<html>Welcome")]:
            self.server.heard.clear()
            self.server.answers["/customers"] = answer
            self.assertEqual(self.sell("1"), [None])
            self.assertEqual(set(self.paths()), {"/customers"}, answer)
            self.assertTrue(self.till.trouble)
        self.assertEqual(self.till.refused(), [])
        self.server.answers.clear()
        self.till.send_again()
        self.assertEqual((self.till.waiting(), self.till.trouble), ([], None))

    def test_a_till_that_was_killed_sends_the_same_under_the_same_key(self):
        self.sell("1")
        lines = Path(self.journal).read_bytes().splitlines(keepends=True)
        self.assertEqual(len(lines), 2)
        # Killed after the answer and before it is struck out, or with half of that line written.
        for left in [b"", lines[1][:9]]:
            Path(self.journal).write_bytes(lines[0] + left)
            self.till = self.start()
            self.assertEqual(len(self.till.waiting()), 1)
            self.till.send_again()
            self.assertEqual(self.server.heard[-1], self.server.heard[0])
            self.assertEqual(self.start().waiting(), [])

    def test_a_batch_is_the_same_batch_after_a_kill_and_each_of_it_is_told(self):
        self.till.is_online = False
        self.sell("1", "wrong", "3")
        before = Path(self.journal).read_bytes()
        self.till.is_online = True
        [(entry, problem)] = self.till.send_again()
        self.assertEqual((entry["body"]["document"], problem["code"]), ("wrong", "card_blocked"))
        self.assertEqual([e["body"]["document"] for e in self.start().refused()], ["wrong"])
        Path(self.journal).write_bytes(before)
        self.start().send_again()
        self.assertEqual(self.paths(), ["/purchases/batch"] * 2)
        self.assertEqual(self.server.heard[0], self.server.heard[1])

    def test_a_batch_that_is_refused_is_sent_one_by_one(self):
        self.till.is_online = False
        self.sell("1", "2")
        self.till.is_online = True
        for refusal in [(422, {"code": "invalid"}), (413, b"<html>too large</html>")]:
            self.server.answers["/purchases/batch"] = refusal
            self.sell("3")
            self.assertEqual(self.paths(), ["/purchases/batch"] + ["/purchases"] * 3)
            self.server.heard.clear()
            self.till.is_online = False
            self.sell("1", "2")
            self.till.is_online = True

    def test_more_than_a_batch_is_sent_in_parts(self):
        self.till.is_online = False
        for number in range(501):
            self.till._count({"key": f"key-{number}", "method": "POST", "path": "/purchases", "body": SALE})
        self.till.is_online = True
        self.till.send_again()
        self.assertEqual(self.paths(), ["/purchases/batch", "/purchases"])

    def test_a_refusal_of_what_is_new_is_told_and_stays_for_a_person(self):
        self.server.answers["/purchases"] = (409, {"code": "card_blocked"})
        with self.assertRaises(Refused):
            self.sell("1")
        [entry] = self.start().refused()
        self.assertEqual(self.start().waiting(), [])
        self.till.settle(entry["key"])
        self.assertEqual(self.start().refused(), [])

    def test_what_was_reserved_when_the_till_died_is_let_go(self):
        self.till.reserve("anna", 700)
        self.till = self.start()
        self.assertEqual((self.till.send_again(), self.paths()), ([], ["/reservations"]))
        self.till.let_go()
        self.till.let_go()
        self.assertEqual(self.paths()[1:], ["/reservations/held-700/cancel"])

    def test_so_is_what_was_reserved_when_the_answer_got_lost(self):
        self.server.answers["/reservations"] = None
        with self.assertRaises(Unreached):
            self.till.reserve("anna", 700)
        self.server.answers.clear()
        self.till = self.start()
        self.till.let_go()
        sent = [key for path, key, _ in self.server.heard if path == "/reservations"]
        self.assertEqual(len(set(sent)), 1)
        self.assertEqual(self.paths()[-1], "/reservations/held-700/cancel")

    def test_what_a_sale_takes_is_not_let_go(self):
        held = self.till.reserve("anna", 700)
        self.till.is_online = False
        self.till.change("/purchases", SALE | {"redeem": {"reservation": held["reservation"], "points": 700}})
        self.till = self.start()
        self.till.let_go()
        self.till.send_again()
        self.assertEqual(self.paths(), ["/reservations", "/purchases"])

    def test_what_ended_already_is_no_trouble(self):
        self.till.reserve("anna", 700)
        self.server.answers["/reservations/held-700/cancel"] = (409, {"code": "reservation_ended"})
        self.till.let_go()
        self.till.let_go()
        self.assertEqual(len(self.server.heard), 2)


if __name__ == "__main__":
    unittest.main()

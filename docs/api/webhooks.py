#!/usr/bin/env python3
"""A receiver of webhooks in one file, to be copied: nothing but Python's own library.

    SECRETS=whsec_… docs/api/webhooks.py 8090

It takes what is signed by one of the secrets (two, parted by a space, while one is exchanged), once, answers at once, and
does the work afterwards: whoever lets the shop wait for long is told again.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import queue
import sys
import threading
import time

TOLERANCE = 5 * 60  # seconds that the two clocks may differ, and for how long a message could be sent a second time
LARGEST = 64 * 1024


class Forged(Exception):
    """It does not come from the shop, or not now."""


def verify(secrets, headers, body, now=None):
    """The id of a message, if it is the shop's (Standard Webhooks, v1)."""
    id_, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs((now or time.time()) - int(sent_at)) > TOLERANCE:
        raise Forged("too old, or from the future")
    signed = f"{id_}.{sent_at}.".encode() + body
    given = [part[3:] for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(right, one) for one in given):
            return id_
    raise Forged("no signature fits")


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    secrets = os.environ.get("SECRETS", "").split()
    seen = {}  # ids of what was taken; a real system keeps them where it keeps its work, for as long as it may come again
    work = queue.Queue()

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > LARGEST:
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            id_ = verify(self.secrets, self.headers, body)
        except Forged as why:
            return self.answer(401, str(why))
        if id_ not in self.seen:
            self.seen[id_] = True
            self.work.put(json.loads(body))
        return self.answer(204)

    def answer(self, status, words=""):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if status != 204:
            self.wfile.write(words.encode())

    def log_message(self, *_):
        pass


def handle(event):
    """What the system does with an event: here it prints it. Kinds that it does not know are none of its business."""
    data = event["data"]
    if event["type"] == "purchase.booked":
        print(event["type"], data["kind"], data["total"], flush=True)
    elif event["type"] == "balance.changed":
        print(event["type"], data["balances"], flush=True)
    else:
        print(event["type"], flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Receiver.secrets:
        sys.exit("SECRETS=whsec_… webhooks.py PORT: takes webhooks on this port and prints them")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening", flush=True)
    while True:
        handle(Receiver.work.get())

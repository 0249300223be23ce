"""A mail server that tells what it got, a JSON object a line; the first line is its port.

It puts off who begins with "later" the first time, knows nobody who begins with "nobody", and refuses a mail to whom begins
with "spam" when it has seen it.

    smtpd.py [--port N] [--certificate FILE --key FILE [--user NAME --password TEXT]]
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--user")
parser.add_argument("--password")
options = parser.parse_args()


def tell(what):
    print(json.dumps(what), flush=True)


class Handler:
    put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("later") and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.3.0 try again later"
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        if envelope.rcpt_tos[0].startswith("spam"):
            return "554 5.7.1 refused: " + message.get_content().splitlines()[0].encode("ascii", "ignore").decode()
        tell({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": message.get_content(),
            "is_ascii": envelope.content.isascii(),
            "is_tls": session.ssl is not None,
            "signed_in": session.authenticated,
        })
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (options.user.encode(), options.password.encode())
    return AuthResult(success=known, handled=known)


def server():
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
    return SMTP(
        Handler(),
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=authenticate if options.user else None,
        auth_required=options.user is not None,
    )


async def main():
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", options.port)
    tell({"port": listening.sockets[0].getsockname()[1]})
    await listening.serve_forever()


asyncio.run(main())

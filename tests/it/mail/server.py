"""A mail server for tests: aiosmtpd, with what it is told to do wrong.

server.py FOLDER '{"tls": "first" | "later" | "never", "certificate": PEM, "key": PEM, "authority": PEM,
                   "login": [name, password], "refuse": {address: "550 …"}, "defer": n, "drop": n, "hang": word}'

Prints its port. Each letter becomes FOLDER/<n>.eml, its envelope FOLDER/<n>.json.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, wanted = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])


class Handler:
    """Takes what it is not told to refuse. The first `defer` recipients are to come back, of the first `drop` letters the
    answer is lost."""

    def __init__(self):
        self.deferred = 0
        self.letters = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        await self.hang("EHLO")
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        await self.hang("MAIL")
        envelope.mail_from = address
        return wanted.get("refuse", {}).get(address, "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.deferred < wanted.get("defer", 0):
            self.deferred += 1
            return "451 4.7.1 Greylisted, come back later"
        if address in wanted.get("refuse", {}):
            return wanted["refuse"][address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        number, self.letters = self.letters, self.letters + 1
        told = {
            "hello": session.host_name,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or wanted["tls"] == "first",
            "login": session.authenticated,
        }
        (folder / f"{number}.json").write_text(json.dumps(told))
        whole = folder / f"{number}.part"
        whole.write_bytes(envelope.original_content)
        whole.rename(folder / f"{number}.eml")
        await self.hang("DATA")
        if number < wanted.get("drop", 0):
            server.transport.abort()
        return wanted.get("answer", "250 2.0.0 Ok: queued as 12345")

    async def hang(self, word):
        if wanted.get("hang") == word:
            await asyncio.sleep(3600)


def authenticate(server, session, envelope, mechanism, data):
    given = data.login.decode(), data.password.decode()
    return AuthResult(success=list(given) == wanted["login"], handled=False)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(wanted["certificate"], wanted["key"])
    if "authority" in wanted:
        made.load_verify_locations(wanted["authority"])
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def session():
    tls, login = wanted["tls"], "login" in wanted
    return SMTP(
        handler,
        hostname="mx.test",
        tls_context=context() if tls == "later" else None,
        require_starttls=tls == "later",
        authenticator=authenticate if login else None,
        auth_required=login,
        auth_require_tls=tls == "later",
        auth_exclude_mechanism=wanted.get("without", []),
    )


async def main():
    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", 0, ssl=context() if wanted["tls"] == "first" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


handler = Handler()
asyncio.run(main())

"""Where the emulated machine's events go: a receiver that checks every signature."""

import hashlib
import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "secret of the site"


class Receiver:
    """Where events go: answers as it is told, and remembers what it took. What isn't signed it refuses."""

    def __init__(self):
        self.status, self.bodies, self.sequences, self.problems, self.lock = 200, {}, set(), [], threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.headers, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers, body):
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        event, digest = headers["webhook-id"], hashlib.sha256(body).digest()
        # `stakeout init` tries a wrong signature, too, and a check is no event.
        if not hmac.compare_digest(signature, headers["X-Trio-Signature"] or ""):
            return 401
        if headers["X-Stakeout-Event"] == "endpoint.check":
            return 204
        with self.lock:
            if self.status < 300:
                if self.bodies.setdefault(event, digest) != digest:
                    self.problems.append(f"{event}: two bodies")
                self.sequences.add(int(headers["X-Stakeout-Sequence"]))
            return self.status

    def taken(self):
        with self.lock:
            return set(self.bodies)

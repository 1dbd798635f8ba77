"""A receiver that is no pleasure: it answers well, badly, late, or tears the connection down; and it forgets nothing."""
import collections
import hashlib
import random
import secrets
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass, field

# Longer than the endpoints' timeout.
HANG_S = 2.5


@dataclass
class Arrivals:
    """Everything that came for one delivery, by endpoint and event."""

    count: int = 0
    digests: set = field(default_factory=set)
    sequences: set = field(default_factory=set)
    # Answered with a 2xx, sent whole.
    taken: int = 0
    # Came though it had been taken before.
    again: int = 0
    # Left without an answer, by intent.
    unanswered: int = 0


class Receiver:
    """Listens on a port of its own until it is closed."""

    def __init__(self, seed=None, alter=None):
        self.random = random.Random(seed)
        # rough: every kind of answer | refusing: 500 | calm: 200
        self.mood = "rough"
        # Changes a body that came for the n-th time: how a control pretends that bytes were altered.
        self.alter = alter or (lambda _count, body: body)
        self.lock = threading.Lock()
        self.arrivals = collections.defaultdict(Arrivals)
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                receiver.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

            def handle_error(self, request, client_address):
                pass  # clients that are killed leave torn connections behind

        self.server = Server(("127.0.0.1", 0), Handler)
        # Ports come back: the daemon of another run may still have something for who listened here before.
        self.place = f"/{secrets.token_hex(8)}"
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{self.place}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, connection):
        while self.request(connection):
            pass

    def request(self, connection):
        """One request; whether another may follow on this connection."""
        head = {}
        line = connection.rfile.readline().decode()
        if not line:
            return False
        place, _, endpoint = line.split()[1].rpartition("/")
        if place != self.place:
            return False
        while (header := connection.rfile.readline().decode().strip()):
            name, _, value = header.partition(":")
            head[name.lower()] = value.strip()
        length = int(head["content-length"])
        body = connection.rfile.read(length)
        if len(body) < length:
            return False
        arrivals = self.take_in(endpoint, head, body)
        return self.answer(connection, arrivals)

    def take_in(self, endpoint, head, body):
        event = head["webhook-id"]
        with self.lock:
            arrivals = self.arrivals[endpoint, event]
            arrivals.count += 1
            arrivals.again += arrivals.taken > 0
            arrivals.digests.add(hashlib.sha256(self.alter(arrivals.count, body)).hexdigest())
            arrivals.sequences.add(int(head["x-stakeout-sequence"]))
        return arrivals

    def answer(self, connection, arrivals):
        with self.lock:
            chance = {"rough": self.random.random(), "refusing": 0.8, "calm": 0}[self.mood]
        if chance < 0.72:
            status = 200
        elif chance < 0.90:
            status = 500
        else:
            with self.lock:
                arrivals.unanswered += 1
            if chance > 0.995:
                time.sleep(HANG_S)
            elif chance > 0.95:
                # Closing means RST then.
                connection.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if chance > 0.6:
            time.sleep(chance / 20)
        connection.wfile.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())
        if status == 200:
            with self.lock:
                arrivals.taken += 1
        return True

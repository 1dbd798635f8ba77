"""`scripts/bench outage`: a receiver that is away for two minutes, and what the built daemon makes of it.

Nothing is asserted: the goals stand beside the figures.
"""
import contextlib
import datetime
import http.server
import json
import pathlib
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_config import APPLIANCE, YARD

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RATE, BURST = 10, 20
ABSURD_S = 900

CONFIG = APPLIANCE + YARD + """[[camera]]
name = "yard"
url = "file://{root}/tests/data/yard.mp4"
loop = true
{monitors}
[[endpoint]]
name = "ops"
url = "http://127.0.0.1:{port}/"
secret_file = "{folder}/ops.secret"
rate = "{rate}/s"
frame = "none"
"""

MONITOR = """
[[monitor]]
name = "{name}"
camera = "yard"
model = "yard-classifier"
labels = ["person"]
confidence_threshold = 0.05
clear_threshold = 0.01
check_interval = "200ms"
cooldown = "{cooldown}"
priority = "{priority}"
"""


def say(text):
    print(text, file=sys.stderr)


class Receiver:
    """Comes and goes on one port; keeps when what arrived."""

    def __init__(self):
        self.arrived, self.port, self.server, self.connections = [], 0, None, set()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.connections.add(self.connection)

            def finish(self):
                outer.connections.discard(self.connection)
                super().finish()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.arrived.append((time.time(), self.headers["webhook-id"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Connections that are open are cut, new ones are refused."""
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def fastest(times):
    """The most arrivals beyond the bucket's rate within any span: what the bucket's burst must cover."""
    times, worst = sorted(times), 0
    for first in range(len(times)):
        for last in range(first, len(times)):
            worst = max(worst, last - first + 1 - RATE * (times[last] - times[first]))
    return worst


def moment(body):
    """When an event was observed, in seconds since 1970."""
    return datetime.datetime.fromisoformat(body["data"]["observed_at"].replace("Z", "+00:00")).timestamp()


def outage(binary, library, seconds):
    """Answers what `--json` prints."""
    receiver = Receiver()
    receiver.start()
    with tempfile.TemporaryDirectory() as folder:
        monitors = [MONITOR.format(name=f"routine-{n}", cooldown="1s", priority="normal") for n in range(8)]
        monitors.append(MONITOR.format(name="intruder", cooldown="5s", priority="critical"))
        config, secret = pathlib.Path(folder, "stakeout.toml"), pathlib.Path(folder, "ops.secret")
        config.write_text(CONFIG.format(folder=folder, library=library, root=ROOT, port=receiver.port, rate=RATE,
                                        monitors="".join(monitors)))
        secret.write_text(SECRET)
        secret.chmod(0o600)

        def asked(*words):
            told = subprocess.run([str(binary), *words, "--json", "--config", str(config)], stdout=subprocess.PIPE, text=True)
            return [json.loads(line) for line in told.stdout.splitlines()]

        with open(pathlib.Path(folder, "log"), "w") as log:
            daemon = subprocess.Popen([str(binary), "run", "--config", str(config)], stderr=log, stdout=subprocess.DEVNULL)
        try:
            time.sleep(20)
            receiver.stop()
            gone, before = time.time(), len(receiver.arrived)
            say(f"outage: {before} arrived, the receiver is away for {seconds} s")
            time.sleep(seconds)
            backlog = asked("status")[0]["endpoints"][0]
            receiver.start()
            back = time.time()
            while len(receiver.arrived) == before and time.time() < back + ABSURD_S:
                time.sleep(0.1)
            first = receiver.arrived[before][0] if len(receiver.arrived) > before else None
            # Until only what is new is pending; new events go on coming.
            while time.time() < back + ABSURD_S:
                endpoint = asked("status")[0]["endpoints"][0]
                if endpoint["held"] == 0 and endpoint["pending"] < 10:
                    break
                time.sleep(1)
            drained = time.time()
        finally:
            daemon.terminate()
            daemon.wait()
        with contextlib.closing(sqlite3.connect(pathlib.Path(folder, "state/journal.db"))) as journal:
            rows = journal.execute("SELECT hex(event.id), state FROM delivery JOIN event ON seq = event_seq").fetchall()
    receiver.stop()
    after = [it for it in receiver.arrived if it[0] >= back]
    ids = {event_id.replace("-", "").upper() for _, event_id, _ in receiver.arrived}
    states = [state for _, state in rows]
    missing = [event_id for event_id, state in rows if state == "delivered" and event_id not in ids]
    seen = [(at, body) for at, _, body in after if body["type"] == "monitor.triggered"]
    critical = [at - moment(body) for at, body in seen
                if body["data"]["priority"] == "critical" and first and moment(body) > first and at < drained]
    figures = {
        "outage_s": seconds, "backlog": backlog["pending"] + backlog["held"], "events": len(rows),
        "dead_letters": sum(state not in ("delivered", "pending", "retry_wait", "held") for state in states),
        "delivered": states.count("delivered"), "delivered_but_never_seen": len(missing),
        "back_to_first_s": first - back if first else None, "drained_after_s": drained - back,
        "beyond_the_rate": fastest([at for at, _, _ in after]), "burst": BURST,
        "critical_events": len(critical), "critical_p50_s": statistics.median(critical) if critical else None,
        "critical_max_s": max(critical, default=None),
    }
    for name, value in figures.items():
        say(f"outage: {name:<26} {round(value, 2) if isinstance(value, float) else value}")
    say("outage: goals: no dead letters, nothing missing, beyond the rate at most the burst (and critical events), "
        "a fresh critical event within 2 s once the first delivery is through")
    return figures

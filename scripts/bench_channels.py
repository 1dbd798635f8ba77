"""`scripts/bench channels`: how soon a WebSocket client has an alert, and what two hundred listening clients cost the watching.

The built daemon watches the yard on several cameras. By turns nobody listens, and a crowd does (half of it server-sent events, half
WebSockets on all channels); meanwhile one WebSocket client and one webhook receiver note when each alert comes. The moment of a
commit is the daemon's own log line. Nothing is asserted: the goals stand beside the figures.
"""
import base64
import bisect
import contextlib
import http.server
import json
import os
import pathlib
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_appliance import _seconds as seconds_of
from bench_config import APPLIANCE, YARD

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PONG = b"\x8a\x80" + bytes(4)
ABSURD_S = 120

CONFIG = APPLIANCE + """filter = "info,stakeout::watch=debug"
""" + YARD + """{cameras}
[[endpoint]]
name = "ops"
format = "videodb"
url = "http://127.0.0.1:{port}/"
secret_file = "{folder}/ops.secret"
rate = "1000/s"
"""

CAMERA = """
[[camera]]
name = "yard-{number}"
url = "file://{root}/tests/data/yard.mp4"
loop = true
[[monitor]]
name = "zone-{number}"
camera = "yard-{number}"
model = "yard-classifier"
labels = ["person"]
confidence_threshold = 0.5
hold = "1 of 1"
gate = "off"
check_interval = "66ms"
cooldown = "400ms"
clear_after = "500ms"
"""


def say(text):
    print(text, file=sys.stderr)


def connect(path):
    """A unix socket at `path`, which may still be in the making."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(ABSURD_S)
    client.connect(str(path))
    return client


def head(client):
    """Reads an answer up to its body; what came of that already."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = client.recv(4096)
        if not part:
            raise SystemExit(f"bench: refused: {answer.decode(errors='replace')}")
        answer += part
    told, rest = answer.split(b"\r\n\r\n", 1)
    if told.split()[1] not in (b"101", b"200"):
        raise SystemExit(f"bench: refused: {told.decode()} {rest.decode(errors='replace')}")
    return rest


def websocket(path, channels):
    client = connect(path)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(f"GET /v1/ws?channels={channels} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                   f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode())
    return client, head(client)


def stream(path):
    client = connect(path)
    client.sendall(b"GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\r\n")
    head(client)
    return client


def crowd(path, count):
    """Listens `count` times and understands nothing but pings, until its standard input ends. What it costs is said to be
    the clients' own: in life they are elsewhere."""
    clients = [websocket(path, "alert,scene_index,status")[0] for _ in range(count // 2)]
    clients += [stream(path) for _ in range(count - len(clients))]
    print("listening", flush=True)
    with selectors.DefaultSelector() as ready:
        for client in clients:
            client.setblocking(False)
            ready.register(client, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        lost = heard = 0
        while True:
            for key, _ in ready.select():
                if key.fileobj is sys.stdin:
                    print(json.dumps({"lost": lost, "heard_bytes": heard}), flush=True)
                    return
                part = key.fileobj.recv(65536)
                heard += len(part)
                if not part:
                    lost += 1
                    ready.unregister(key.fileobj)
                elif b"\x89\x00" in part:
                    key.fileobj.sendall(PONG)


@contextlib.contextmanager
def listening(path, count):
    """A crowd in a process of its own; gives a function that ends it and tells what it has lost."""
    command = [sys.executable, str(pathlib.Path(__file__)), str(path), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline().strip() != "listening":
        raise SystemExit("bench: the crowd could not listen")
    told = {}
    try:
        yield told
    finally:
        process.stdin.close()
        told.update(json.loads(process.stdout.readline()))
        process.wait()


class Alerts(threading.Thread):
    """The WebSocket client that is measured: when each alert came, by what tells it apart."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.client, self.buffer = websocket(path, "alert")
        self.frame()  # the first message only tells which connection this is
        self.came = {}

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                opcode, payload = self.frame()
                if opcode == 1:
                    came = time.time()
                    self.came[pair(json.loads(payload)["data"])] = came
                elif opcode == 9:
                    self.client.sendall(PONG)
                elif opcode == 8:
                    return

    def frame(self):
        """One frame from the server: short, or with a length of two bytes; alerts are never longer."""
        opcode, length = self.take(2)
        if length == 126:
            length = int.from_bytes(self.take(2))
        return opcode & 15, self.take(length)

    def take(self, count):
        while len(self.buffer) < count:
            part = self.client.recv(65536)
            if not part:
                raise OSError("closed")
            self.buffer += part
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


class Receiver:
    """When each webhook came, by the event's id, and which alert it was."""

    def __init__(self):
        came = self.came = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                at = time.time()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                came.setdefault(self.headers["webhook-id"], (at, pair(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def pair(alert):
    return alert["event_id"], alert["timestamp"]


def checks(binary, config):
    status = subprocess.run([str(binary), "status", "--json", "--config", str(config)], check=True, capture_output=True, text=True)
    return sum(monitor["checks"] for monitor in json.loads(status.stdout)["monitors"])


def accepted(log):
    """When the daemon said that an event is committed, by its id."""
    lines = (line for line in log.read_text().splitlines() if " accepted id=" in line)
    return {re.search(r" id=([0-9a-f-]+)", line).group(1): seconds_of(line.split()[0]) for line in lines}


def spread(values):
    """Milliseconds."""
    values = [value * 1000 for value in values]
    if len(values) < 20:
        return {"count": len(values)}
    return {"count": len(values), "p50_ms": round(statistics.median(values), 2),
            "p95_ms": round(statistics.quantiles(values, n=20)[18], 2), "max_ms": round(max(values), 2)}


def latencies(log, receiver, alerts, turns):
    """From the commit to the WebSocket client, and to the receiver, by whether somebody else listened."""
    starts, found = [start for start, _ in turns], {}
    for kind in (False, True):
        found[kind] = {"websocket": [], "webhook": []}
    for event, committed in accepted(log).items():
        turn = bisect.bisect(starts, committed) - 1
        if turn < 0 or event not in receiver.came:
            continue
        at, alert = receiver.came[event]
        crowded = turns[turn][1]
        if crowded is None:
            continue
        found[crowded]["webhook"].append(at - committed)
        if alert in alerts.came:
            found[crowded]["websocket"].append(alerts.came[alert] - committed)
    return found


def run(binary, library, clients, cameras, rounds, seconds):
    with tempfile.TemporaryDirectory() as folder:
        receiver = Receiver()
        config, secret, log = (pathlib.Path(folder, name) for name in ("stakeout.toml", "ops.secret", "log"))
        secret.write_text(SECRET)
        secret.chmod(0o600)
        written = "".join(CAMERA.format(number=number, root=ROOT) for number in range(cameras))
        config.write_text(CONFIG.format(folder=folder, library=library, root=ROOT, port=receiver.port, cameras=written))
        daemon = subprocess.Popen([str(binary), "run", "--config", str(config)], stderr=log.open("w"), stdout=subprocess.DEVNULL)
        try:
            path = pathlib.Path(folder, "stakeout.sock")
            began = time.time()
            while not receiver.came:
                if time.time() > began + ABSURD_S:
                    raise SystemExit(f"bench: no alert within {ABSURD_S} s\n{log.read_text()}")
                time.sleep(0.1)
            alerts = Alerts(path)
            alerts.start()
            rates, turns, lost = {False: [], True: []}, [], []
            for turn in range(2 * rounds):
                # The order changes from round to round, so that what drifts falls on both.
                crowded = turn % 4 in (1, 2)
                with listening(path, clients) if crowded else contextlib.nullcontext({}) as told:
                    # What connecting costs is not what listening costs.
                    time.sleep(2)
                    turns.append((time.time(), crowded))
                    before, since = checks(binary, config), time.time()
                    time.sleep(seconds)
                    rates[crowded].append((checks(binary, config) - before) / (time.time() - since))
                    turns.append((time.time(), None))
                lost.append(told.get("lost", 0))
            time.sleep(1)
        finally:
            daemon.terminate()
            daemon.wait()
        # What was committed between two turns counts for neither.
        kept = latencies(log, receiver, alerts, turns)
        return rates, kept, sum(lost)


def channels(binary, library, clients, cameras, rounds, seconds):
    """All of it; answers what `--json` prints."""
    rates, kept, lost = run(binary, library, clients, cameras, rounds, seconds)
    rate = {crowded: statistics.median(values) for crowded, values in rates.items()}
    webhook = {crowded: spread(kept[crowded]["webhook"]) for crowded in (False, True)}
    websocket_alone, websocket_crowded = (spread(kept[crowded]["websocket"]) for crowded in (False, True))
    figures = {
        "clients": clients, "cameras": cameras, "rounds": rounds, "seconds": seconds, "clients_lost": lost,
        "commit_to_websocket": websocket_alone, "commit_to_websocket_with_clients": websocket_crowded, "goal_p95_ms": 50,
        "checks_per_second": round(rate[False], 2), "checks_per_second_with_clients": round(rate[True], 2),
        "check_rate_ratio": round(rate[True] / rate[False], 3), "goal_check_rate_ratio": 0.95,
        "commit_to_webhook": webhook[False], "commit_to_webhook_with_clients": webhook[True],
        "webhook_p95_ratio": ratio(webhook[True], webhook[False]), "goal_webhook_p95_ratio": 1.1,
    }
    say(f"commit to WebSocket client: {told(websocket_alone)}; with {clients} more clients: {told(websocket_crowded)}; goal: p95 under 50 ms")
    say(f"checks per second: {rate[False]:.1f}; with {clients} clients: {rate[True]:.1f}; "
        f"ratio {figures['check_rate_ratio']} (goal: at least 0.95)")
    say(f"commit to webhook: {told(webhook[False])}; with {clients} clients: {told(webhook[True])}; "
        f"ratio of the p95s {figures['webhook_p95_ratio']} (goal: at most 1.1)")
    say(f"clients that were left or lost meanwhile: {lost}; {cameras} cameras, {rounds} rounds of {seconds} s each way, "
        f"{os.cpu_count()} cores, the clients on the same machine")
    return figures


def ratio(with_clients, alone):
    return round(with_clients["p95_ms"] / alone["p95_ms"], 3) if "p95_ms" in with_clients and "p95_ms" in alone else None


def told(figures):
    if "p95_ms" not in figures:
        return f"only {figures['count']} alerts, too few for a p95"
    return "p50 {p50_ms} ms, p95 {p95_ms} ms, max {max_ms} ms ({count} alerts)".format(**figures)


if __name__ == "__main__":
    crowd(sys.argv[1], int(sys.argv[2]))

"""`scripts/bench uplink`: what clips on their way out cost the alerts beside them, over a thin uplink.

A box with one camera (a street in full HD, 3 Mbit/s, over RTSP) tells of it every second and records without a pause: more than
fits through an uplink of 1 Mbit/s, whose modem holds a second's worth (a network namespace behind `tc tbf`; root). Three boxes by turns:
`alerts` uploads nothing, `capped` uploads with `bandwidth` at half of the uplink, `uncapped` as much as goes. Nothing is asserted.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from bench_channels import accepted, ratio, spread, told
from bench_config import APPLIANCE, YARD
from bench_pinned import LIBRARY, ROOT, say
from cameras import clips, sides

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
UPLINK = "1mbit"
CAP = "500kbit/s"
SIDES = {"alerts": None, "capped": CAP, "uncapped": ""}
HERE, THERE = "10.213.77.1", "10.213.77.2"
SETTLE_S = 15
# What a clip in pieces may cost an alert: the piece that is on its way.
GOALS = {"capped_p95_more_s": 0.6, "uncapped_p95_more_s": 1.2}

CONFIG = APPLIANCE + """filter = "info,stakeout::watch=debug"
""" + YARD + """[[camera]]
name = "street"
url = "{url}"
[[monitor]]
name = "street"
camera = "street"
model = "yard-classifier"
labels = ["person"]
confidence_threshold = 0.0001
clear_threshold = 0.0
gate = "off"
check_interval = "500ms"
cooldown = "1s"
clip = {{ before = "1s", after = "0s", max = "5s" }}
[[endpoint]]
name = "ops"
url = "http://{there}:{port}/"
secret_file = "{folder}/ops.secret"
events = ["monitor.triggered"]
frame = "none"
rate = "1000/s"
{upload}"""

UPLOAD = """[[endpoint]]
name = "depot"
format = "upload"
url = "http://{there}:{port}/{{clip}}.mp4"
secret_file = "{folder}/ops.secret"
bandwidth = "{bandwidth}"
"""

# In the namespace: a line for each alert (its id, when it came) and for each piece (None, when, its bytes).
RECEIVER = """
import http.server, json, sys, threading, time
kept, lock = {}, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, has=0):
        self.send_response(status)
        if has: self.send_header("Range", f"bytes=0-{has - 1}")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with lock: print(json.dumps([self.headers["webhook-id"], time.time(), 0]), flush=True)
        self.answer(204)
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        part, whole = self.headers["Content-Range"].split(" ")[1].split("/")
        if part != "*":
            kept[self.path] = int(part.split("-")[0]) + len(body)
            with lock: print(json.dumps([None, time.time(), len(body)]), flush=True)
        has = kept.get(self.path, 0)
        self.answer(201 if has == int(whole) else 308, has)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((sys.argv[1], 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def uplink():
    """A namespace behind a thin line; its name."""
    name = f"stakeout-{os.getpid()}"
    near, far = f"so{os.getpid()}a", f"so{os.getpid()}b"
    ip = lambda *words: subprocess.run(["ip", *words], check=True)
    ip("netns", "add", name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("addr", "add", f"{HERE}/24", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", f"{THERE}/24", "dev", far)
        ip("-n", name, "link", "set", far, "up")
        subprocess.run(["tc", "qdisc", "add", "dev", near, "root", "tbf", "rate", UPLINK, "burst", "8kb", "latency", "1s"],
                       check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


class Receiver:
    """What arrived at the far end."""

    def __init__(self, namespace, folder):
        self.told = pathlib.Path(folder, "arrived")
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", RECEIVER, THERE],
                                        stdout=open(self.told, "w"))
        while "\n" not in self.told.read_text():
            time.sleep(0.05)
        self.port = int(self.told.read_text().split()[0])

    def end(self):
        """When each alert came, and (when, bytes) of each piece."""
        self.process.terminate()
        self.process.wait()
        lines = [json.loads(line) for line in self.told.read_text().splitlines()[1:] if line.endswith("]")]
        return {event: at for event, at, _ in lines if event}, [(at, size) for event, at, size in lines if not event]


class Box(sides.Stakeout):
    """`stakeout run` as one of the sides."""

    def __init__(self, binary, folder, side, url, port):
        self.binary, self.folder, self.config = binary, pathlib.Path(folder), pathlib.Path(folder, "stakeout.toml")
        secret = self.folder / "ops.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        names = {"folder": folder, "there": THERE, "port": port}
        upload = "" if SIDES[side] is None else UPLOAD.format(bandwidth=SIDES[side], **names)
        self.config.write_text(CONFIG.format(library=LIBRARY, root=ROOT, url=url, upload=upload, **names))
        sides.Process.__init__(self, "stakeout", [binary, "run", "--config", self.config], folder)


def turn(binary, side, camera, namespace, seconds):
    """One box of that side: seconds from commits to webhooks, and kbit/s of clips."""
    with tempfile.TemporaryDirectory() as folder:
        receiver = Receiver(namespace, folder)
        try:
            with Box(binary, folder, side, camera.url, receiver.port) as box:
                box.wait_online()
                time.sleep(SETTLE_S)
                began = time.time()
                time.sleep(seconds)
                ended = time.time()
                time.sleep(5)
                commits = {event: at for event, at in accepted(box.log).items() if began <= at < ended}
        finally:
            came, pieces = receiver.end()
    size = sum(size for at, size in pieces if began <= at < ended)
    late = [came[event] - at for event, at in commits.items() if event in came]
    return {"alerts": len(commits), "late": late, "kbit_per_second": size * 8 / 1000 / seconds}


def uplinked(binary, rounds, seconds):
    """All of it; answers what `--json` prints."""
    turns = {side: [] for side in SIDES}
    with uplink() as namespace, tempfile.TemporaryDirectory() as folder, sides.Camera(clips.street(2), folder) as camera:
        for number in range(rounds):
            for side in list(SIDES)[::-1 if number % 2 else 1]:
                turns[side].append(turn(binary, side, camera, namespace, seconds))
                say("round {}, {side:>8}: {alerts} alerts, clips go out with {kbit_per_second:.0f} kbit/s".format(number + 1, side=side, **turns[side][-1]))
    late = {side: spread([late for it in of for late in it["late"]]) for side, of in turns.items()}
    kbit = {side: round(statistics.median(it["kbit_per_second"] for it in of), 1) for side, of in turns.items()}
    lost = {side: sum(it["alerts"] - len(it["late"]) for it in of) for side, of in turns.items()}
    figures = {"uplink": UPLINK, "rounds": rounds, "seconds": seconds, "commit_to_webhook": late, "clips_kbit_per_second": kbit,
               "alerts_that_did_not_come": lost, "goals": GOALS} | {
        f"{side}_p95_ratio": ratio(late[side], late["alerts"]) for side in ("capped", "uncapped")}
    for side in SIDES:
        say(f"{side:>8}: commit to webhook {told(late[side])}; clips {kbit[side]} kbit/s; alerts that did not come: {lost[side]}")
    say(f"ratio of the p95s: with bandwidth = \"{CAP}\" {figures['capped_p95_ratio']}, without {figures['uncapped_p95_ratio']} "
        f"(an alert waits for the piece that is on its way); an uplink of {UPLINK}")
    return figures

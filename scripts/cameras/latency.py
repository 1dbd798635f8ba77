"""`scripts/bench cameras latency`: from the first packet of a picture with somebody in it to the webhook at a receiver.

Somebody appears all at once at random moments of the GOP, on several cameras that one daemon watches. The clock is this
machine's on both ends; an encoder's own delay comes on top with a real camera.
"""
import contextlib
import http.server
import json
import statistics
import tempfile
import threading
import time
from datetime import datetime

from bench_pinned import die, say

from . import clips, sides
from .machine import machine, named

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# Time to clear, to fall asleep again and to stay so for a while.
EVERY_S = 20

MONITOR = """
[[monitor]]
name = "somebody"
cameras = {cameras}
model = "yard-classifier"
labels = ["person"]
cooldown = "1s"
clear_after = "1s"
repeat = false
{settings}
[[endpoint]]
name = "receiver"
url = "{url}"
secret_file = "{secret}"
events = ["monitor.triggered"]
frame = "none"
"""

# Name: `decode`, the monitor's settings, the 95th percentile that is promised.
SIDES = {
    "all": ("all", 'check_interval = "200ms"', 0.5),
    "auto": ("auto", 'notice_within = "2s"', 2.5),
}


class Receiver:
    """Notes when which camera's event arrived, and when it was seen: [(arrived, camera, observed)]."""

    def __init__(self):
        self.events, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                arrived, data = time.time(), json.loads(body)
                data = data.get("data", data)
                observed = datetime.fromisoformat(data["observed_at"].replace("Z", "+00:00")).timestamp()
                outer.events.append((arrived, data["camera"], observed))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()


def latency(binary, chosen, cameras, count, seed):
    """The figures of the chosen sides; `count` appearances on each camera."""
    before = machine()
    films = [clips.appearances(count, EVERY_S, seed + number) for number in range(cameras)]
    say(f"cameras latency: {cameras} cameras, 1080p, {clips.FPS} fps, GOP 2 s, {count} appearances on each, one every "
        f"{EVERY_S} s; yard-classifier, gate on; {named(before)}")
    told = {}
    for name in chosen:
        told[name] = one_side(binary, name, films)
        figures = told[name]
        say(f"cameras latency: {name:<5} p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms, max {figures['max_ms']} ms "
            f"(goal: p95 under {figures['goal_p95_ms']} ms); {figures['noticed']} of {figures['appeared']} noticed, the frame that "
            f"did is of the first second in {figures['first_second']}; {figures['extra']} events without a reason")
    return {"machine": before, "sides": told}


def one_side(binary, name, films):
    decode, settings, goal = SIDES[name]
    with tempfile.TemporaryDirectory() as folder, Receiver() as receiver, contextlib.ExitStack() as running:
        served = {f"cam{number}": running.enter_context(sides.Camera(film, folder, f"cam{number}")) for number, film in enumerate(films)}
        more = sides.model("yard-classifier", folder) + monitor(folder, served, settings, receiver)
        watched = {camera: (it.url, decode) for camera, it in served.items()}
        daemon = running.enter_context(sides.Stakeout(binary, folder, watched, more))
        daemon.wait_online()
        # One round of each clip; what would appear in the next one doesn't count.
        until = time.monotonic() + max(film.facts["frames"] for film in films) / clips.FPS
        while time.monotonic() < until:
            time.sleep(1)
            daemon.alive()
        marks = {camera: [at for mark, at in sorted(it.marks.items()) if mark < len(film.facts["marks"])]
                 for (camera, it), film in zip(served.items(), films)}
        return figures_of(marks, receiver.events, goal)


def monitor(folder, served, settings, receiver):
    with open(f"{folder}/secret", "w") as file:
        file.write(SECRET)
    names = json.dumps(list(served))
    return MONITOR.format(cameras=names, settings=settings, url=receiver.url, secret=f"{folder}/secret")


def figures_of(marks, events, goal):
    """Each appearance belongs to the first event of its camera while somebody is there, or a little later."""
    late, first_second, extra = [], 0, 0
    left = {camera: list(times) for camera, times in marks.items()}
    for arrived, camera, observed in sorted(events):
        mine = [at for at in left[camera] if at <= arrived < at + EVERY_S / 2]
        if not mine:
            extra += 1
            continue
        left[camera].remove(mine[0])
        late.append((arrived - mine[0]) * 1000)
        first_second += observed - mine[0] <= 1
    late or die("not one event arrived; does the model see anybody?")
    appeared = sum(map(len, marks.values()))
    return {
        "appeared": appeared, "noticed": len(late), "first_second": first_second, "extra": extra,
        "p50_ms": round(statistics.median(late)), "p95_ms": round(sorted(late)[max(0, round(len(late) * 0.95) - 1)]),
        "max_ms": round(max(late)), "goal_p95_ms": round(goal * 1000), "each_ms": [round(it) for it in late],
    }

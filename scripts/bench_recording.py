"""`scripts/bench recording`: what recording costs the built daemon, beside itself when it doesn't.

Four boxes by turns, with the same cameras (a street in full HD, 15 fps, GOP 2 s, 3 Mbit/s, over RTSP). Two of them see nothing to
tell: `quiet` has no clips, `armed` has `clip` on every monitor. Two see something all the time and tell of it every second:
`alerting` has no clips, `recording` records every camera without a pause. Nothing is asserted: the goals stand beside the figures.
"""
import contextlib
import http.server
import json
import os
import pathlib
import sqlite3
import statistics
import tempfile
import threading
import time

from bench_channels import accepted, ratio, spread, told
from bench_config import APPLIANCE, YARD
from bench_pinned import LIBRARY, ROOT, say
from cameras import clips, sides

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTLE_S = 10
CLIP = '{ before = "5s", after = "10s", max = "2m" }'
# Whether something is told, and whether it is recorded.
SIDES = {"quiet": (False, False), "armed": (False, True), "alerting": (True, False), "recording": (True, True)}
GOALS = {"armed_cpu_ratio": 1.1, "recording_cpu_ratio": 1.3, "webhook_p95_ratio": 1.1}

CONFIG = APPLIANCE + """filter = "info,stakeout::watch=debug"
""" + YARD + """{cameras}
[[monitor]]
name = "street"
cameras = {names}
model = "yard-classifier"
labels = ["person"]
{judged}
clip = {clip}
[[endpoint]]
name = "ops"
url = "http://127.0.0.1:{port}/"
secret_file = "{folder}/ops.secret"
rate = "1000/s"
"""

CAMERA = """
[[camera]]
name = "{name}"
url = "{url}"
"""

# As it comes, but never sure enough; and so that any picture is a reason, at any time.
NOTHING = "confidence_threshold = 0.9999"
ANYTHING = """confidence_threshold = 0.0001
clear_threshold = 0.0
gate = "off"
check_interval = "500ms"
cooldown = "1s"
"""


class Receiver:
    """When each webhook came, by the event's id."""

    def __init__(self):
        came = self.came = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                came.setdefault(self.headers["webhook-id"], time.time())
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Box(sides.Stakeout):
    """`stakeout run` as one of the sides."""

    def __init__(self, binary, folder, side, url, cameras, port):
        tells, records = SIDES[side]
        self.binary, self.folder, self.config = binary, pathlib.Path(folder), pathlib.Path(folder, "stakeout.toml")
        names = [f"cam-{number}" for number in range(cameras)]
        secret = self.folder / "ops.secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.config.write_text(CONFIG.format(
            folder=folder, library=LIBRARY, root=ROOT, names=json.dumps(names), judged=ANYTHING if tells else NOTHING, port=port,
            clip=CLIP if records else "{}", cameras="".join(CAMERA.format(name=name, url=url) for name in names)))
        sides.Process.__init__(self, "stakeout", [binary, "run", "--config", self.config], folder)

    def written(self):
        """Bytes that it has sent on their way to the disk."""
        told = dict(line.split(": ") for line in pathlib.Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return int(told["write_bytes"])

    def recording(self):
        """How many cameras are being recorded, with something of it on disk."""
        journal = self.folder / "state/journal.db"
        with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
            return database.execute("SELECT count(DISTINCT camera) FROM clip WHERE state = 'recording' AND bytes > 0").fetchone()[0]


def turn(binary, side, camera, cameras, seconds):
    """One box of that side: CPU seconds per minute and camera, kB written per second and camera, and seconds from commits to
    webhooks."""
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder, Box(binary, folder, side, camera.url, cameras, receiver.port) as box:
        box.wait_online()
        time.sleep(SETTLE_S)
        cpu, written, began = box.cpu_s(), box.written(), time.time()
        time.sleep(seconds)
        cpu, written, ended = box.cpu_s() - cpu, box.written() - written, time.time()
        recording, memory = box.recording(), box.memory_mb()["VmRSS"]
        time.sleep(1)
        commits = {event: at for event, at in accepted(box.log).items() if began <= at < ended}
    receiver.server.shutdown()
    share = (ended - began) * cameras
    return {"cpu_s_per_minute": cpu / share * 60, "kb_per_second": written / share / 1000, "cameras_recording": recording,
            "memory_mb": memory, "alerts": len(commits), "webhook": [receiver.came[event] - at for event, at in commits.items() if event in receiver.came]}


def recording(binary, cameras, rounds, seconds):
    """All of it; answers what `--json` prints."""
    clip = clips.street(2)
    stream = clip.path.stat().st_size / (clip.facts["frames"] / clip.facts["fps"]) / 1000
    turns = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder, sides.Camera(clip, folder) as camera:
        for number in range(rounds):
            # The order turns from round to round, so that what drifts falls on all.
            for side in list(SIDES)[::-1 if number % 2 else 1]:
                turns[side].append(turn(binary, side, camera, cameras, seconds))
                say("round {}, {side:>9}: {cpu_s_per_minute:.2f} s of CPU a minute and camera, {kb_per_second:.1f} kB/s written, "
                    "{alerts} alerts".format(number + 1, side=side, **turns[side][-1]))
    return tell(turns, stream, {"cameras": cameras, "rounds": rounds, "seconds": seconds})


def tell(turns, stream, asked):
    middle = {what: {side: statistics.median(it[what] for it in of) for side, of in turns.items()}
              for what in ("cpu_s_per_minute", "kb_per_second", "memory_mb")}
    webhook = {side: spread([late for it in turns[side] for late in it["webhook"]]) for side in ("alerting", "recording")}
    more = middle["kb_per_second"]["recording"] - middle["kb_per_second"]["alerting"]
    figures = asked | {
        "cpu_s_per_minute_and_camera": rounded(middle["cpu_s_per_minute"], 3),
        "armed_cpu_ratio": by_rounds(turns, "armed", "quiet"), "recording_cpu_ratio": by_rounds(turns, "recording", "alerting"),
        "recording_cpu_beside_quiet": by_rounds(turns, "recording", "quiet"),
        "written_kb_per_second_and_camera": rounded(middle["kb_per_second"], 1), "stream_kb_per_second": round(stream, 1),
        "written_for_recording_beside_stream": round(more / stream, 3),
        "memory_mb": rounded(middle["memory_mb"], 0),
        "cameras_recording_least": min(it["cameras_recording"] for it in turns["recording"]),
        "cameras_recording_elsewhere": max(it["cameras_recording"] for side in SIDES if side != "recording" for it in turns[side]),
        "alerts_in_quiet": sum(it["alerts"] for side in ("quiet", "armed") for it in turns[side]),
        "commit_to_webhook": webhook["alerting"], "commit_to_webhook_recording": webhook["recording"],
        "webhook_p95_ratio": ratio(webhook["recording"], webhook["alerting"]), "goals": GOALS,
    }
    cpu, kb = figures["cpu_s_per_minute_and_camera"], figures["written_kb_per_second_and_camera"]
    say(f"CPU a minute and camera, nothing to tell: {cpu['quiet']} s without clips, {cpu['armed']} s armed: "
        f"{shown(figures['armed_cpu_ratio'])} (goal: under 1.1)")
    say(f"CPU a minute and camera, an alert a second: {cpu['alerting']} s without clips, {cpu['recording']} s recording: "
        f"{shown(figures['recording_cpu_ratio'])} (goal: under 1.3); beside quiet {shown(figures['recording_cpu_beside_quiet'])}")
    say(f"written a second and camera: quiet {kb['quiet']} kB, armed {kb['armed']} kB, alerting {kb['alerting']} kB, recording "
        f"{kb['recording']} kB; the stream has {stream:.1f} kB: recording writes {figures['written_for_recording_beside_stream']} times that")
    say(f"commit to webhook: {told(webhook['alerting'])}; recording: {told(webhook['recording'])}; "
        f"ratio of the p95s {figures['webhook_p95_ratio']} (goal: at most 1.1)")
    say("resident memory: " + ", ".join(f"{side} {mb:.0f} MB" for side, mb in middle["memory_mb"].items()))
    say(f"cameras that were recorded: {figures['cameras_recording_least']} of {asked['cameras']} at least, where nothing shall be "
        f"{figures['cameras_recording_elsewhere']}; alerts where nothing is to be told: {figures['alerts_in_quiet']}; "
        f"{asked['rounds']} rounds of {asked['seconds']} s each way, {os.cpu_count()} cores, the camera's server on the same machine")
    return figures


def by_rounds(turns, one, other):
    """CPU of one side beside another's in the same round: the median, the least and the most."""
    ratios = [of["cpu_s_per_minute"] / beside["cpu_s_per_minute"] for of, beside in zip(turns[one], turns[other])]
    return {"median": round(statistics.median(ratios), 3), "min": round(min(ratios), 3), "max": round(max(ratios), 3)}


def rounded(values, digits):
    return {name: round(value, digits) for name, value in values.items()}


def shown(figures):
    return "{median} times ({min} to {max})".format(**figures)

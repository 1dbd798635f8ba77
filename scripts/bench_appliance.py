"""`scripts/bench memory` and `scripts/bench recovery`: the built daemon beside a real RTSP server, looked at from outside.

Timings are told, never asserted: the goals stand beside the figures.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import time

from bench_config import APPLIANCE

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
ABSURD_S = 60

CONFIG = APPLIANCE + """[[camera]]
name = "cam"
url = "{url}"
[[model]]
name = "{model_name}"
path = "{model}"
[[monitor]]
name = "watch"
camera = "cam"
condition = "Is somebody there?"
model = "{model_name}"
labels = ["{label}"]
check_interval = "200ms"
"""


class Camera:
    """scripts/rtsp-server, here or in a network namespace."""

    def __init__(self, clip, port=0, namespace=None, address=None, more=()):
        command = [str(ROOT / "scripts/rtsp-server"), "--clip", str(clip), "--port", str(port), *more]
        if address:
            command += ["--address", address]
        if namespace:
            command = ["ip", "netns", "exec", namespace, *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.ready = time.time()
        self.port = int(re.search(r":(\d+)/", self.url).group(1))

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()


class Daemon:
    """`stakeout run` with a log that is read back."""

    def __init__(self, binary, folder, url, model_name, model, label, library):
        self.folder = pathlib.Path(folder)
        config = self.folder / "stakeout.toml"
        config.write_text(
            CONFIG.format(folder=folder, library=library, url=url, model_name=model_name, model=model, label=label)
        )
        self.log = self.folder / "log"
        command = [str(binary), "run", "--config", str(config)]
        self.process = subprocess.Popen(command, stderr=self.log.open("w"), stdout=subprocess.DEVNULL)

    def lines(self, words):
        """When each log line with these words was written, in seconds since 1970."""
        stamps = [line.split()[0] for line in self.log.read_text().splitlines() if words in line]
        return [_seconds(stamp) for stamp in stamps]

    def wait_for(self, words, after):
        """The moment of the first such line since `after`."""
        began = time.time()
        while time.time() < began + ABSURD_S:
            if later := [at for at in self.lines(words) if at >= after]:
                return later[0]
            time.sleep(0.02)
        raise SystemExit(f"bench: no `{words}` within {ABSURD_S} s\n{self.log.read_text()}")

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self, field):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def _seconds(stamp):
    import datetime

    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", stamp)).timestamp()


def make_1080p(folder):
    """20 s of 1080p15 H.264 at 3 Mbit/s with something moving."""
    clip = pathlib.Path(folder) / "1080p.mp4"
    pipeline = (
        "videotestsrc num-buffers=300 pattern=smpte motion=wavy ! video/x-raw,format=I420,width=1920,height=1080,framerate=15/1"
        " ! x264enc bitrate=3000 bframes=0 key-int-max=30 speed-preset=ultrafast ! h264parse ! mp4mux"
        f" ! filesink location={clip}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
    return clip


def memory(binary, model, library):
    """Resident memory with one 1080p camera and yolox_nano after half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        camera = Camera(make_1080p(folder))
        daemon = Daemon(binary, folder, camera.url, "yolox-nano", model, "person", library)
        try:
            daemon.wait_for("camera online", 0)
            before, began = daemon.cpu_s(), time.time()
            time.sleep(30)
            share = (daemon.cpu_s() - before) / (time.time() - began)
            return {
                "rss_mb": round(daemon.memory_mb("VmRSS")),
                "peak_rss_mb": round(daemon.memory_mb("VmHWM")),
                "goal_mb": 200,
                "cpu_share_of_a_core": round(share, 3),
            }
        finally:
            daemon.stop()
            camera.kill()


def recovery(binary, library, rounds):
    """Killed and half-open cameras: how long until it is noticed, and until frames flow again."""
    clip = ROOT / "tests/data/yard.mp4"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        camera = Camera(clip)
        model = ROOT / "models/yard-classifier"
        daemon = Daemon(binary, folder, camera.url, "yard-classifier", model, "person", library)
        try:
            daemon.wait_for("camera online", 0)
            back, idle = [], []
            for number in range(rounds):
                camera.kill()
                daemon.wait_for("camera offline", camera.ready)
                before, began = daemon.cpu_s(), time.time()
                # Not the same phase of the backoff every time.
                time.sleep(7 + 1.3 * number)
                idle.append((daemon.cpu_s() - before) / (time.time() - began))
                camera = Camera(clip, camera.port)
                back.append(daemon.wait_for("camera online", camera.ready) - camera.ready)
                # A camera that is lost again before it has stayed is still in the same outage, of which little more is said.
                time.sleep(12)
            changes = len(daemon.lines("camera online")) + len(daemon.lines("camera offline"))
            frozen = time.time()
            camera.signal(signal.SIGSTOP)
            noticed = daemon.wait_for("camera offline", frozen) - frozen
            camera.signal(signal.SIGCONT)
        finally:
            daemon.stop()
            camera.kill()
        return {
            "rounds": rounds,
            "killed_back_s_median": round(statistics.median(back), 2),
            "killed_back_s_max": round(max(back), 2),
            "goal_back_s": 5,
            "frozen_noticed_s": round(noticed, 2),
            "half_open_noticed_s": half_open(binary, library, clip, other),
            "goal_noticed_s": 10,
            "away_cpu_share_median": round(statistics.median(idle), 4),
            "goal_away_cpu_share": 0.02,
            "log_lines_per_change": round(changes / (2 * rounds + 1), 2),
        }


def half_open(binary, library, clip, folder):
    """A cable that is pulled: a network namespace whose link goes down, so that no RST ever comes. None without root."""
    name, near, far = "stakeout-bench", "so-bench0", "so-bench1"
    ip = lambda *arguments: subprocess.run(["ip", *arguments], check=True, capture_output=True)
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return None
    camera = daemon = None
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("addr", "add", "10.231.7.1/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", "10.231.7.2/30", "dev", far)
        ip("-n", name, "link", "set", far, "up")
        camera = Camera(clip, 8554, name, "10.231.7.2")
        url = camera.url.replace("127.0.0.1", "10.231.7.2")
        model = ROOT / "models/yard-classifier"
        daemon = Daemon(binary, folder, url, "yard-classifier", model, "person", library)
        daemon.wait_for("camera online", 0)
        time.sleep(2)
        pulled = time.time()
        ip("-n", name, "link", "set", far, "down")
        return round(daemon.wait_for("camera offline", pulled) - pulled, 2)
    finally:
        if daemon:
            daemon.stop()
        if camera:
            camera.kill()
        subprocess.run(["ip", "netns", "del", name], check=False)

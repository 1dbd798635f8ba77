"""Cameras that can be made to fail, one by one and in every way that has a name here; and the daemon that watches them.

What `scripts/bench soak` and `scripts/bench recovery` share. Timings are told, never asserted.
"""
import json
import pathlib
import signal
import statistics
import subprocess
import tempfile
import time

from bench_appliance import Camera, Daemon
from bench_config import APPLIANCE, YARD

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The longest that a camera may stay away after its fault is over: the longest delay of a young outage, a timeout that
# had just begun, and a machine with much else to do.
COMES_BACK_S = 45

MONITOR = """
[[camera]]
name = "{camera}"
url = "{url}"
decode = "all"
[[monitor]]
name = "watch-{camera}"
camera = "{camera}"
condition = "Is somebody there?"
model = "yard-classifier"
labels = ["person"]
check_interval = "1s"
"""

CONFIG = APPLIANCE + YARD


class Site:
    """One camera behind a network that can fail."""

    def __init__(self, name, clip, other):
        self.name, self.clip, self.other = name, clip, other
        self.camera = Camera(clip, more=["--other", str(other)])
        command = [str(ROOT / "scripts/rtsp-relay"), "--to", str(self.camera.port)]
        self.relay = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.relay.stdout.readline())["port"]
        # Nobody reads on, and nobody needs to: what is said there is for tests.
        self.relay.stdout.close()

    @property
    def url(self):
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def tell(self, words):
        self.relay.stdin.write(words + "\n")
        self.relay.stdin.flush()

    def restart(self, clip):
        self.camera.kill()
        self.camera = Camera(clip, self.camera.port, more=["--other", str(self.other)])

    def stop(self):
        self.relay.kill()
        self.relay.wait()
        self.camera.kill()


def sends(number):
    return lambda site: site.camera.signal(number)


def tells(words):
    return lambda site: site.tell(words)


# How a fault begins, and how it ends; None: it is over at once.
FAULTS = {
    "killed": (lambda site: site.camera.kill(), lambda site: site.restart(site.clip)),
    "stopped": (sends(signal.SIGSTOP), sends(signal.SIGCONT)),
    "half-open": (tells("silence"), tells("pass")),
    "torn down": (tells("cut"), None),
    "garbage": (tells("garbage 0.3"), tells("pass")),
    "loss 5 %": (tells("loss 0.05"), tells("pass")),
    "flood": (sends(signal.SIGUSR2), sends(signal.SIGUSR2)),
    "picture frozen": (sends(signal.SIGUSR1), sends(signal.SIGUSR1)),
    "reconfigured": (sends(signal.SIGHUP), None),
}


class Watched(Daemon):
    """The daemon with all cameras."""

    def __init__(self, binary, folder, sites, library):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.config = self.folder / "stakeout.toml"
        text = CONFIG.format(folder=folder, library=library, root=ROOT)
        self.config.write_text(text + "".join(MONITOR.format(camera=site.name, url=site.url) for site in sites))
        self.log = self.folder / "log"
        command = [str(binary), "run", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=self.log.open("w"), stdout=subprocess.DEVNULL)

    def cameras(self):
        command = [str(self.binary), "status", "--json", "--config", str(self.config)]
        told = subprocess.run(command, capture_output=True, text=True)
        return {camera["name"]: camera for camera in json.loads(told.stdout)["cameras"]} if told.returncode == 0 else {}

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def threads(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()))

    def until_flowing(self, names, patience_s):
        """Waits until all of them are online with pictures that are fresh; the seconds it took, None: some never were."""
        began = time.time()
        while time.time() < began + patience_s:
            cameras = self.cameras()
            if all(name in cameras and is_flowing(cameras[name]) for name in names):
                return time.time() - began
            time.sleep(0.25)
        return None


def is_flowing(camera):
    age_s = camera["last_frame_age_s"]
    return camera["state"] == "online" and age_s is not None and age_s < 2


def make_clips(folder):
    clips = []
    for name, width, height in [("one.mp4", 640, 360), ("two.mp4", 480, 270)]:
        pipeline = (
            f"videotestsrc num-buffers=150 pattern=ball ! video/x-raw,format=I420,width={width},height={height},framerate=15/1"
            " ! x264enc key-int-max=15 bframes=0 speed-preset=ultrafast ! h264parse ! mp4mux"
            f" ! filesink location={folder}/{name}"
        )
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
        clips.append(pathlib.Path(folder) / name)
    return clips


def recovery_by_fault(binary, library, rounds):
    """Each fault for 8 s: how long after its end until pictures are fresh again, and whether it took a new connection."""
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        site = Site("cam", *make_clips(folder))
        daemon = Watched(binary, folder, [site], library)
        try:
            if daemon.until_flowing([site.name], 120) is None:
                raise SystemExit(f"bench: the camera never came up\n{daemon.log.read_text()[-4000:]}")
            for fault, (begin, end) in FAULTS.items():
                times, reconnects = [], daemon.cameras()[site.name]["reconnects"]
                for _ in range(rounds):
                    begin(site)
                    if end:
                        # Not the same phase of the backoff every time.
                        time.sleep(8 + 1.3 * len(times))
                        end(site)
                    times.append(daemon.until_flowing([site.name], COMES_BACK_S))
                    # So long until delays begin anew: each fault by itself.
                    time.sleep(12)
                came = [back for back in times if back is not None]
                table[fault] = {
                    "back_s_median": round(statistics.median(came), 1) if came else None,
                    "back_s_max": round(max(came), 1) if came else None,
                    "stayed_away": times.count(None),
                    "connections": daemon.cameras()[site.name]["reconnects"] - reconnects,
                }
        finally:
            daemon.stop()
            site.stop()
    return table

"""`scripts/bench soak`: four cameras and a daemon, and whatever can go wrong between them, for as long as asked.

Each fault strikes a camera at random, lasts for some seconds, and is over; then the camera must come back by itself. What is
measured: recovery times by fault, and whether memory and descriptors stay where they were after the warm-up. The run fails
when a camera stays away.
"""
import collections
import json
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import time

from bench_appliance import Camera, Daemon
from bench_pinned import say

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAMERAS = 4
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

CONFIG = """
[device]
id = "soak"
[storage]
path = "{folder}/state"
[runtime]
onnxruntime = "{library}"
threads = 1
[api]
socket = "{folder}/stakeout.sock"
[[model]]
name = "yard-classifier"
path = "{root}/models/yard-classifier"
"""


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


def for_a_while(begin, end):
    def strike(site, dice):
        begin(site)
        time.sleep(dice.uniform(1, 15))
        end(site)

    return strike


FAULTS = {
    "killed": for_a_while(lambda site: site.camera.kill(), lambda site: site.restart(site.clip)),
    "stopped": for_a_while(lambda site: site.camera.signal(signal.SIGSTOP), lambda site: site.camera.signal(signal.SIGCONT)),
    "half-open": for_a_while(lambda site: site.tell("silence"), lambda site: site.tell("pass")),
    "torn down": lambda site, dice: site.tell("cut"),
    "garbage": for_a_while(lambda site: site.tell("garbage 0.3"), lambda site: site.tell("pass")),
    "loss 5 %": for_a_while(lambda site: site.tell("loss 0.05"), lambda site: site.tell("pass")),
    "flood": for_a_while(lambda site: site.camera.signal(signal.SIGUSR2), lambda site: site.camera.signal(signal.SIGUSR2)),
    "picture frozen": for_a_while(
        lambda site: site.camera.signal(signal.SIGUSR1), lambda site: site.camera.signal(signal.SIGUSR1)
    ),
    "reconfigured": lambda site, dice: site.camera.signal(signal.SIGHUP),
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
            fresh = lambda camera: camera["state"] == "online" and (camera["last_frame_age_s"] or 99) < 2
            if all(name in cameras and fresh(cameras[name]) for name in names):
                return time.time() - began
            time.sleep(0.25)
        return None


def reading(daemon):
    """Resident memory in MB, descriptors and threads, when all is quiet. Of memory the least of some seconds."""
    sizes = []
    for _ in range(20):
        time.sleep(0.5)
        sizes.append(daemon.memory_mb("VmRSS"))
    return {"rss_mb": round(min(sizes), 1), "descriptors": daemon.descriptors(), "threads": daemon.threads()}


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


def soak(binary, library, minutes, seed):
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(folder)
        sites = [Site(f"cam-{number}", *clips) for number in range(CAMERAS)]
        daemon = Watched(binary, folder, sites, library)
        names = [site.name for site in sites]
        recovery, stayed_away, readings = collections.defaultdict(list), [], []
        try:
            if daemon.until_flowing(names, 120) is None:
                raise SystemExit(f"bench: the cameras never came up\n{daemon.log.read_text()[-4000:]}")
            # Each fault once: what a first time costs (plugins, buffers, the allocator's arenas) is no leak.
            for fault in FAULTS:
                strike(daemon, dice.choice(sites), fault, dice, recovery, stayed_away)
            readings.append(reading(daemon))
            say(f"soak: after the warm-up {readings[0]}")
            recovery.clear()
            until, told = time.time() + minutes * 60, time.time()
            while time.time() < until:
                strike(daemon, dice.choice(sites), dice.choice(list(FAULTS)), dice, recovery, stayed_away)
                if time.time() - told > 120:
                    told = time.time()
                    readings.append(reading(daemon))
                    say(f"soak: {sum(map(len, recovery.values()))} faults, {readings[-1]}, stayed away: {stayed_away}")
            if daemon.until_flowing(names, COMES_BACK_S) is None:
                stayed_away.append("all")
            readings.append(reading(daemon))
            alive = daemon.process.poll() is None
        finally:
            daemon.stop()
            for site in sites:
                site.stop()
        return figures(minutes, seed, recovery, stayed_away, readings, alive)


def strike(daemon, site, fault, dice, recovery, stayed_away):
    """One fault from its start to the camera's return."""
    before = daemon.cameras().get(site.name, {}).get("reconnects", 0)
    FAULTS[fault](site, dice)
    back = daemon.until_flowing([site.name], COMES_BACK_S)
    if back is None:
        stayed_away.append(f"{fault}: {daemon.cameras().get(site.name)}")
        # So that what follows is measured as if it had come back.
        site.restart(site.clip)
        daemon.until_flowing([site.name], 120)
        return
    reconnected = daemon.cameras()[site.name]["reconnects"] > before
    recovery[fault].append((back, reconnected))


def figures(minutes, seed, recovery, stayed_away, readings, alive):
    first, last = readings[0], readings[-1]
    table = {
        fault: {
            "times": len(times),
            "back_s_median": round(statistics.median(back for back, _ in times), 1),
            "back_s_max": round(max(back for back, _ in times), 1),
            "reconnected": sum(reconnected for _, reconnected in times),
        }
        for fault, times in sorted(recovery.items())
    }
    growth = last["rss_mb"] / first["rss_mb"] - 1
    return {
        "minutes": minutes,
        "seed": seed,
        "faults": sum(map(len, recovery.values())),
        "stayed_away": stayed_away,
        "daemon_alive": alive,
        "rss_mb_after_warm_up": first["rss_mb"],
        "rss_mb_end": last["rss_mb"],
        "rss_growth": round(growth, 4),
        "goal_rss_growth": 0.05,
        "descriptors_after_warm_up": first["descriptors"],
        "descriptors_end": last["descriptors"],
        "threads_after_warm_up": first["threads"],
        "threads_end": last["threads"],
        "rss_mb_over_time": [one["rss_mb"] for one in readings],
        "recovery": table,
    }

"""Who watches a camera: Stakeout and those beside it, each a process of its own, and what each took of the CPU.

Nothing here decides what is measured.
"""
import contextlib
import json
import pathlib
import re
import subprocess
import threading
import time

from bench_config import APPLIANCE
from bench_pinned import LIBRARY, SHARED, die
from model_folder import model_folder

from . import clips

READY_S = 60

MODEL = """
[[model]]
name = "{name}"
path = "{path}"
"""

CAMERA = """
[[camera]]
name = "{name}"
url = "{url}"
decode = "{decode}"
"""

MOTION = """
daemon off
setup_mode off
log_level 3
target_dir {folder}
netcam_url {url}
netcam_params rtsp_transport=tcp
width 1920
height 1080
framerate 15
picture_output off
movie_output off
webcontrol_port 0
stream_port 0
"""


def model(name, parent):
    """The section of a model of ours; in `parent` its folder is put together where it isn't complete."""
    try:
        return MODEL.format(name=name, path=model_folder(name, SHARED / "models", parent))
    except FileNotFoundError as missing:
        die(f"`{missing}` is missing; models/README.md says where it comes from")


class Process:
    """A process that ends with the measuring; its output goes to a log in `folder`."""

    def __init__(self, name, command, folder, **options):
        self.name, self.log = name, pathlib.Path(folder) / f"{name}.log"
        guarded = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(guarded, **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def alive(self):
        """Ends the measuring when the process has ended."""
        if self.process.poll() is not None:
            die(f"{self.name} ended early:\n{self.log.read_text()[-3000:]}")

    def cpu_s(self):
        """CPU seconds so far, of all its threads, those included that have ended."""
        self.alive()
        return time.clock_gettime(~self.pid << 3 | 2)

    def threads(self):
        """CPU seconds so far by thread: [(name, seconds)]."""
        told = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
                told.append(((task / "comm").read_text().strip(), seconds))
        return told

    def memory_mb(self):
        """Resident memory, and the part of it that is no file's."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return {field: int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024 for field in ("VmRSS", "RssAnon")}


class Camera(Process):
    """`cameras/server` with a clip."""

    def __init__(self, clip, folder, name="camera"):
        server = pathlib.Path(__file__).with_name("server")
        super().__init__(name, [server, clip.path, json.dumps(clip.facts)], folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
        self.marks, self.counts, self.told = {}, [], threading.Event()
        self.url = json.loads(self.process.stdout.readline() or die(self.log.read_text()))["url"]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "mark" in said:
                self.marks[said["mark"]] = said["at"]
            else:
                self.counts.append(said["sent"])
                self.told.set()

    def sent(self):
        """Pictures sent so far."""
        self.told.clear()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.told.wait(READY_S) or die("the camera's server doesn't answer")
        return self.counts[-1]


class Stakeout(Process):
    """`stakeout run`. `cameras`: {name: (url, decode)}; `more`: models, monitors and endpoints."""

    def __init__(self, binary, folder, cameras, more="", name="stakeout"):
        folder = pathlib.Path(folder) / name
        folder.mkdir()
        self.binary, self.config = binary, folder / "stakeout.toml"
        sections = [CAMERA.format(name=camera, url=url, decode=decode) for camera, (url, decode) in cameras.items()]
        self.config.write_text(APPLIANCE.format(folder=folder, library=LIBRARY) + "".join(sections) + more)
        super().__init__(name, [binary, "run", "--config", self.config], folder)

    def status(self):
        """What `stakeout status --json` says; None while it doesn't answer."""
        command = [self.binary, "status", "--json", "--config", self.config]
        told = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return json.loads(told.stdout) if told.returncode == 0 else None

    def wait_online(self):
        """Until every camera is."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            self.alive()
            told = self.status()
            if told and all(camera["state"] == "online" for camera in told["cameras"]):
                return
            time.sleep(0.2)
        die(f"not every camera came online within {READY_S} s:\n{self.log.read_text()[-3000:]}")

    def warm_up(self):
        """Asks the status once: it opens what it needs."""
        self.status()


def ffmpeg(url, folder, threads):
    """`ffmpeg` decoding to nothing, with that many threads, or with as many as it chooses."""
    chosen = ["-threads", threads] if threads else []
    command = [clips.ffmpeg(), "-nostdin", "-v", "error", "-rtsp_transport", "tcp", *chosen, "-i", url, "-an",
               "-fps_mode", "passthrough", "-f", "null", "-"]
    return Process(f"ffmpeg-{threads or 'default'}", command, folder)


def motion(url, folder):
    """Debian's `motion` with its own detection, and nothing recorded or shown."""
    config = pathlib.Path(folder) / "motion.conf"
    config.write_text(MOTION.format(folder=folder, url=url))
    return Process("motion", [clips.program("motion"), "-n", "-c", config], folder)


def receiving(url, folder):
    """GStreamer's own tool, that receives and throws away."""
    pipeline = f"rtspsrc location={url} protocols=tcp latency=100 ! rtph264depay ! fakesink"
    return Process("receiving", ["gst-launch-1.0", "-q", *pipeline.split()], folder)

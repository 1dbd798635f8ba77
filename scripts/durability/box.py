"""A box with the built daemon on it: a folder, a configuration, a process, and what it said was accepted."""
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from dataclasses import dataclass

import bench_appliance

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CLIP = ROOT / "tests/data/yard.mp4"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# Nothing is measured with it: what takes longer has gone wrong.
ABSURD_S = 300

# Written by the daemon after the commit, with one write(2): from then on the event is promised.
ACCEPTED = re.compile(rb"accepted\b.* id=([0-9a-f-]{36})")

APPLIANCE = """
[device]
id = "box"
[storage]
path = "{folder}/state"
snapshot_width = 160
[runtime]
onnxruntime = "{library}"
threads = 1
[api]
socket = "{folder}/stakeout.sock"
[log]
format = "text"
filter = "info,stakeout::watch=debug"
[[model]]
name = "yard-classifier"
path = "{root}/models/yard-classifier"
"""

CAMERA = """
[[camera]]
name = "{name}"
{source}
"""

# How sure a monitor has to be for any picture to be a reason.
ANYTHING = 0.0001

MONITOR = """
[[monitor]]
name = "{name}"
cameras = {cameras}
condition = "Is there anything?"
model = "yard-classifier"
labels = ["person"]
confidence_threshold = {threshold}
clear_threshold = 0.0
check_interval = "50ms"
cooldown = "{cooldown}"
enabled = {enabled}
clip = {clip}
"""

ENDPOINT = """
[[endpoint]]
name = "{name}"
url = "{url}/{name}"
secret_file = "{folder}/secret"
timeout = "2s"
concurrency = {concurrency}
retry = {{ delays = [{delays}], max_age = "24h" }}
{rate}
"""

CONCURRENCY = 4


class Trouble(Exception):
    """The daemon did what it never may, or not what it must."""


@dataclass(frozen=True)
class Product:
    """What is run, and what it looks at."""

    binary: pathlib.Path
    library: pathlib.Path
    # The lines of a camera that say where its pictures come from.
    source: str


@contextlib.contextmanager
def assembled(binary, library, *, rtsp):
    """It looks at the yard: at the file, or at a real RTSP server that plays it."""
    if not rtsp:
        yield Product(binary, library, f'url = "file://{CLIP}"\nloop = true')
        return
    camera = bench_appliance.Camera(CLIP)
    try:
        yield Product(binary, library, f'url = "{camera.url}"\ntransport = "tcp"')
    finally:
        camera.kill()


class Box:
    """One daemon at a time, in `folder`; its log goes on from start to start."""

    def __init__(self, product, folder, url, *, cameras=2, monitors=2, threshold=ANYTHING,
                 cooldown="0ms", endpoints=("ops", "spare"), clip="{}"):
        self.product, self.folder = product, pathlib.Path(folder)
        self.url, self.threshold, self.cooldown, self.clip = url, threshold, cooldown, clip
        self.cameras = [f"cam-{number}" for number in range(cameras)]
        self.monitors = [f"monitor-{number}" for number in range(monitors)]
        self.endpoints = endpoints
        self.state, self.config, self.log = self.folder / "state", self.folder / "stakeout.toml", self.folder / "log"
        self.process = None
        self.accepted, self._read = set(), 0
        secret = self.folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.configure()

    def configure(self, *, watching=True):
        """Writes the configuration; it counts from the next start."""
        delays = ", ".join(['"200ms"'] * 40)
        parts = [APPLIANCE.format(folder=self.folder, library=self.product.library, root=ROOT)]
        parts += [CAMERA.format(name=name, source=self.product.source) for name in self.cameras]
        parts += [MONITOR.format(name=name, cameras=json.dumps(self.cameras), threshold=self.threshold,
                                 cooldown=self.cooldown, enabled=str(watching).lower(), clip=self.clip) for name in self.monitors]
        parts += [ENDPOINT.format(name=name, url=self.url, folder=self.folder, delays=delays, concurrency=CONCURRENCY,
                                  rate=rate()) for name in self.endpoints]
        self.config.write_text("".join(parts))

    def start(self, *tracer):
        """Starts the daemon, under `tracer` if one is given, and does not wait."""
        command = [*map(str, tracer), str(self.product.binary), "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_ready(self):
        """Until it answers. Trouble: it ended instead."""
        self.until("an answer", lambda: self.get("/v1/status"))

    def until(self, what, answer):
        """The first answer that isn't nothing, while the daemon lives."""
        began = time.monotonic()
        while time.monotonic() < began + ABSURD_S:
            if (found := answer()) not in (None, False):
                return found
            if self.process.poll() is not None:
                raise Trouble(f"the daemon ended ({self.process.returncode}) before there was {what}\n{self.tail()}")
            time.sleep(0.005)
        raise Trouble(f"no {what} within {ABSURD_S} s\n{self.tail()}\n{self.stacks()}")

    def kill(self):
        """SIGKILL; what it had logged by then was promised."""
        self.process.kill()
        self.process.wait()
        self.process = None
        return self.read_log()

    def stop(self):
        """SIGTERM, and it must end well."""
        self.process.terminate()
        code = self.process.wait(ABSURD_S)
        self.process = None
        self.read_log()
        if code != 0:
            raise Trouble(f"an orderly stop ended with {code}\n{self.tail()}")

    def read_log(self):
        """Takes in what was accepted since the last call; how many that were."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        fresh = {found.decode() for found in ACCEPTED.findall(whole)}
        self.accepted |= fresh
        return len(fresh)

    def tail(self):
        return "".join(self.log.read_text(errors="replace").splitlines(True)[-15:])

    def stacks(self):
        """Where each thread of a daemon that hangs is, if gdb is here."""
        if not shutil.which("gdb"):
            return "(with gdb installed the threads' stacks would stand here)"
        command = ["gdb", "-p", str(self.process.pid), "-batch", "-ex", "thread apply all bt"]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def get(self, path):
        """What the API answers; None while nobody does."""
        connection = http.client.HTTPConnection("box", timeout=ABSURD_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(self.folder / "stakeout.sock"))
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def list_events(self, after):
        """Promises by listing: the ids of events behind the `seq` `after`, as far as the daemon lives to tell them; and the
        `seq` of the last one."""
        listed = set()
        while (page := self.get(f"/v1/events?after={after}&limit=1000")) and page["items"]:
            listed |= {event["id"] for event in page["items"]}
            after = page["items"][-1]["seq"]
        self.accepted |= listed
        return after

    def deliver_everything(self, is_settled=lambda: True):
        """Starts it with nothing left to watch, and waits until all is settled and nothing is owed any more."""
        self.configure(watching=False)
        self.start()
        self.wait_until_ready()
        self.until("an end of what was unfinished", is_settled)
        self.until("an end of what is owed", lambda: not any(map(self.owes, ["pending", "retry_wait", "held"])))
        self.list_events(0)

    def owes(self, state):
        page = self.get(f"/v1/deliveries?state={state}&limit=1")
        return page is None or bool(page["items"])

    def events_of_reader(self):
        """What `stakeout events --json` reads out of the files of a daemon that is down."""
        command = [str(self.product.binary), "events", "--json", "--config", str(self.config)]
        ended = subprocess.run(command, capture_output=True, text=True)
        return ended, [json.loads(line) for line in ended.stdout.splitlines()] if ended.returncode == 0 else []

    def database(self):
        """The journal of a daemon that is down."""
        return contextlib.closing(sqlite3.connect(self.state / "journal.db"))

    def give_up(self):
        """Ends what this box started, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def rate():
    """No limit worth speaking of, where this version has one."""
    manual = (ROOT / "packaging/stakeout.toml").read_text()
    described = re.search(r"((?:^# .*\n)+)#rate = ", manual, re.MULTILINE)
    return 'rate = "10000/s"' if described and "(not yet)" not in described.group(1) else ""

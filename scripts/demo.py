"""What scripts/demo runs once scripts/setup has: camera → model → condition → journal → signed webhook.

Builds the daemon, then starts an RTSP camera that plays a clip, a webhook receiver that verifies signatures, and the
daemon between the two; prints each event as the receiver gets it. Ends with Ctrl-C or after `--seconds N`. The last
line on stdout is a JSON summary; the exit status is 0 only if at least one event arrived and every signature verified.
Nothing is left behind: all files are in one temporary folder, all processes end with this one.
"""

import argparse
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from model_folder import model_folder

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("STAKEOUT_SHARED", ROOT.parent / "shared"))
READY_S = 20  # for the camera and the receiver to print their address
DRAIN_S = 12  # the daemon promises to end within 10 s of SIGTERM


@dataclass(frozen=True)
class Ask:
    """What a monitor asks: in words, or for a label of a model that knows labels."""

    monitor: str
    condition: str
    label: str = ""


@dataclass(frozen=True)
class Model:
    """What the demo asks of a model, and from which confidence on it believes a yes."""

    threshold: float
    asks: tuple[Ask, ...]

    def reads(self):
        return not any(ask.label for ask in self.asks)


IN_ZONE = "Is there a person inside the zone marked with yellow tape?"
MODELS = {
    "yard": Model(0.8, (Ask("person-in-zone", IN_ZONE), Ask("vehicle", "Is there a vehicle in the image?"))),
    "yard-classifier": Model(0.8, (Ask("person-in-zone", IN_ZONE, "person_in_zone"),)),
    "yolox-nano": Model(0.4, (Ask("person", "Is there a person in the picture?", "person"),)),
}


class DemoFailed(Exception):
    """The demo can't go on; the text says why and what to do, `said` is what the culprit printed."""

    def __init__(self, text, said=""):
        super().__init__(text)
        self.said = said


def note(text=""):
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- building


def build():
    """Builds the release binary; silent when that is quick."""
    with tempfile.TemporaryFile("w+") as output:
        cargo = subprocess.Popen(["cargo", "build", "--release", "--quiet"], cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_telling(cargo)
        except BaseException:
            cargo.terminate()
            cargo.wait()
            raise
        if cargo.returncode != 0:
            output.seek(0)
            raise DemoFailed("`cargo build --release` failed; its last words are above", output.read()[-4000:])
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    found = json.loads(subprocess.run(metadata, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return Path(found["target_directory"], "release", "stakeout")


def wait_telling(cargo):
    begun, patience = time.monotonic(), 3
    while cargo.poll() is None:
        try:
            cargo.wait(patience)
        except subprocess.TimeoutExpired:
            passed = time.monotonic() - begun
            first = "demo: building; the first time takes some minutes"
            note(f"demo: still building ({passed:.0f} s)" if passed > 10 else first)
            patience = 30


# ---------------------------------------------------------------- processes


class Child:
    """A process of the demo: ends with the demo however that ends, and writes its stderr to a log."""

    def __init__(self, name, command, folder):
        self.name, self.log = name, folder / f"{name}.log"
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches only the demo, which then stops everything in order.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self.read_lines, daemon=True).start()

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.put(line.decode())
        self.lines.put(None)

    def url(self):
        """Its first line says where it listens."""
        try:
            line = self.lines.get(timeout=READY_S)
        except queue.Empty:
            line = None
        if line is None:
            raise DemoFailed(f"the {self.name} did not start; its last words are above", self.log_tail())
        return json.loads(line)["url"]

    def log_tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            note(f"demo: the {self.name} did not end by itself within {DRAIN_S} s; killed")
            self.process.kill()
            self.process.wait()


# ---------------------------------------------------------------- configuration


def folder_of_model(name, folder):
    try:
        return model_folder(name, SHARED / "data" / "models", folder)
    except FileNotFoundError as missing:
        path = missing.args[0]
        advice = f"put it into `models/{name}` (models/README.md says where it comes from), or leave --model out"
        raise DemoFailed(f"`{path.name}` is neither in `models/{name}` nor in `{path.parent}`; {advice}") from None


def quoted(value):
    return json.dumps(str(value), ensure_ascii=False)


def monitor(ask, arguments):
    labels = f"labels = [{quoted(ask.label)}]\n" if ask.label else ""
    return f"""\
[[monitor]]
name = {quoted(ask.monitor)}
camera = "demo"
condition = {quoted(ask.condition)}
model = {quoted(arguments.model)}
{labels}confidence_threshold = {MODELS[arguments.model].threshold}
hold = "2 of 3"
check_interval = "200ms"
cooldown = "5s"
clear_after = "1s"
gate = "off"
"""


def configuration(folder, camera_url, receiver_url, arguments):
    monitors = "\n".join(monitor(ask, arguments) for ask in arguments.asks)
    return f"""\
[device]
id = "demo"

[storage]
path = {quoted(folder / "state")}

[runtime]
onnxruntime = {quoted(ROOT / ".setup" / "lib" / "libonnxruntime.so")}

[api]
socket = {quoted(folder / "stakeout.sock")}

[log]
format = "text"

[[camera]]
name = "demo"
url = {quoted(camera_url)}

[[model]]
name = {quoted(arguments.model)}
path = {quoted(folder_of_model(arguments.model, folder))}

{monitors}
[[endpoint]]
name = "receiver"
url = {quoted(receiver_url)}
format = "stakeout"
events = ["monitor.triggered", "monitor.cleared"]
secret_file = {quoted(folder / "secret")}
"""


# ---------------------------------------------------------------- what arrives


class Tally:
    """The events so far, by id: a second delivery of an event is not a second event."""

    def __init__(self):
        self.verified, self.latencies = {}, {}

    def add(self, seen):
        event = seen["event_id"]
        good = seen["verified"] is True and seen["same_bytes"] is not False
        self.verified[event] = self.verified.get(event, True) and good
        # An event that ends has no frame of its own: it is the absence of one.
        if seen["type"] == "monitor.triggered" and seen["latency_ms"] is not None:
            self.latencies.setdefault(event, seen["latency_ms"])

    def summary(self):
        latencies = list(self.latencies.values())
        return {
            "events": len(self.verified),
            "verified": sum(self.verified.values()),
            "latency_ms_p50": round(statistics.median(latencies)) if latencies else None,
            "latency_ms_max": max(latencies, default=None),
        }

    def succeeded(self):
        return bool(self.verified) and all(self.verified.values())


def headline(camera_url, receiver_url, arguments):
    asked = " ".join(ask.condition for ask in arguments.asks)
    end = f"It ends after {arguments.seconds:g} s." if arguments.seconds else "Ctrl-C ends the demo."
    return f"""
  A camera        {camera_url}  plays {arguments.clip.name} over a real RTSP connection.
  Stakeout        watches it with the model {arguments.model}, asking: {asked}
  A receiver      {receiver_url}  gets a signed webhook when the answer becomes yes, and when it ends.

  Each line below is a webhook that arrived. Its signatures were checked with the shared secret; the time
  in ms is from the frame's arrival at Stakeout to the webhook's arrival here. {end}
"""


def human_line(seen):
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    paint = lambda code, text: f"\033[{code}m{text}\033[0m" if colour else text  # noqa: E731
    what = {"monitor.triggered": paint("1;31", "TRIGGERED"), "monitor.cleared": paint("32", "cleared  ")}
    score = f"{seen['confidence']:.2f}" if isinstance(seen["confidence"], (int, float)) else "    "
    mark = paint("32", "signatures ✓") if seen["verified"] else paint("1;31", f"NOT VERIFIED ✗ {seen['problem']}")
    latency = f"{seen['latency_ms']} ms" if seen["latency_ms"] is not None else ""
    again = "  (again)" if seen["duplicate"] else ""
    text = seen["explanation"] or seen["reason"] or ""
    at, kind = seen["received_at"][11:19], what.get(seen["type"], seen["type"])
    return f"  {at}  {kind}  {score}  {mark}  {latency:>7}  {text}{again}"


def show(receiver, daemon, tally, arguments):
    """Prints events until the time is over, Ctrl-C, or the daemon's end."""
    deadline = time.monotonic() + arguments.seconds if arguments.seconds else None
    hint_at = time.monotonic() + 45
    while deadline is None or time.monotonic() < deadline:
        try:
            take(receiver.lines.get(timeout=0.2), tally, arguments)
        except queue.Empty:
            pass
        if daemon.process.poll() is not None:
            status = daemon.process.returncode
            raise DemoFailed(f"the daemon ended with exit status {status}; its last words are above", daemon.log_tail())
        if not tally.verified and time.monotonic() > hint_at:
            note(f"demo: no event yet; the daemon says:\n{daemon.log_tail(5)}")
            hint_at = float("inf")


def take(line, tally, arguments):
    if line is None:
        raise DemoFailed("the receiver ended; this is a defect of scripts/receiver")
    seen = json.loads(line)
    tally.add(seen)
    print(line.rstrip("\n") if arguments.json else human_line(seen), flush=True)


def take_the_rest(receiver, tally, arguments):
    """What the daemon still delivered while it drained."""
    receiver.stop()
    while (line := receiver.lines.get()) is not None:
        take(line, tally, arguments)


# ---------------------------------------------------------------- the demo


def play(binary, folder, tally, arguments):
    """Starts the three processes, shows what arrives, stops the daemon first, so that it can deliver what it owes."""
    secret = subprocess.run([binary, "keygen"], check=True, stdout=subprocess.PIPE).stdout
    (folder / "secret").touch(0o600)
    (folder / "secret").write_bytes(secret)
    serve = [ROOT / "scripts" / "rtsp-server", "--clip", arguments.clip, "--port", "0"]
    receive = [ROOT / "scripts" / "receiver", "--json", "--secret-file", folder / "secret", "--port", "0"]
    with ExitStack() as running:
        camera = Child("camera", serve, folder)
        running.callback(camera.stop)
        receiver = Child("receiver", receive, folder)
        running.callback(receiver.stop)
        camera_url, receiver_url = camera.url(), receiver.url()
        (folder / "stakeout.toml").write_text(configuration(folder, camera_url, receiver_url, arguments))
        daemon = Child("daemon", [binary, "run", "--config", folder / "stakeout.toml"], folder)
        running.callback(daemon.stop)

        note(headline(camera_url, receiver_url, arguments))
        try:
            show(receiver, daemon, tally, arguments)
        except KeyboardInterrupt:
            note()
        daemon.stop()
        take_the_rest(receiver, tally, arguments)
        if not tally.verified:
            note(f"{daemon.log_tail()}\n\ndemo: no event arrived; the daemon's last words are above")
            note("demo: does the clip show what is asked for within the time given? does the model know what it is asked? (yard knows")
            note("demo: persons, vehicles and zones marked with yellow, red or blue tape, and abstains from the rest)")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Run a camera, Stakeout and a webhook receiver on this machine.")
    parser.add_argument("--seconds", type=float, help="end after this time (default: run until Ctrl-C)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout, the summary last")
    parser.add_argument("--clip", type=Path, default=ROOT / "tests/data/yard.mp4", help="a file with H.264 video")
    parser.add_argument("--model", choices=sorted(MODELS), default="yard", help="(default: %(default)s)")
    parser.add_argument("--question", action="append", help="what to ask instead, of a model that reads; may be repeated")
    parser.add_argument("--label", help="what must be seen instead, of a model that knows labels")
    parser.add_argument("--binary", type=Path, help="use this stakeout instead of building one")
    arguments = parser.parse_args()
    if not arguments.clip.is_file():
        parser.error(f"`{arguments.clip}` is not a file")
    if arguments.binary and not arguments.binary.is_file():
        parser.error(f"`{arguments.binary}` is not a file; leave --binary out, and it is built")
    arguments.asks = asks(parser, arguments, MODELS[arguments.model])
    return arguments


def asks(parser, arguments, model):
    """What is asked: the model's own, or what the command line says."""
    if arguments.question and not model.reads():
        parser.error(f"{arguments.model} knows labels and reads no questions; give a --label, or leave --model out")
    if arguments.label and model.reads():
        parser.error(f"{arguments.model} reads questions and knows no labels; give a --question instead")
    if arguments.question:
        return tuple(Ask(f"question-{number}", text) for number, text in enumerate(arguments.question, start=1))
    if arguments.label:
        asked = f"Is there a {arguments.label} in the picture?"
        return (Ask(arguments.label.replace("_", "-"), asked, arguments.label),)
    return model.asks


def main():
    arguments = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    tally, failed = Tally(), False
    try:
        binary = arguments.binary.resolve() if arguments.binary else build()
        with tempfile.TemporaryDirectory(prefix="stakeout-demo-") as folder:
            play(binary, Path(folder), tally, arguments)
    except DemoFailed as problem:
        note(f"{problem.said}\n\ndemo: {problem}".lstrip())
        failed = True
    except subprocess.CalledProcessError as problem:
        note(f"demo: `{' '.join(map(str, problem.cmd))}` failed; what it said is above")
        failed = True
    except KeyboardInterrupt:
        note("demo: interrupted")
        failed = True
    print(json.dumps(tally.summary()), flush=True)
    sys.exit(0 if tally.succeeded() and not failed else 1)


if __name__ == "__main__":
    main()

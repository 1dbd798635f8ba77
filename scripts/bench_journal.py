"""`scripts/bench journal` and `scripts/bench backlog`: accepting and delivering, beside bare SQLite and beside Celery with
Redis, and a start with a million deliveries that are due.

Every ratio is of the same run, in turns, on the same disk. Nothing is asserted: the goals stand beside the figures.
"""
import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".setup/celery-venv"
PACKAGES = ["celery[redis]==5.7.0", "requests==2.34.2"]
FRAME = 100_000
CONCURRENCY = 4
# What a virtual disk takes (its host's memory), and what the flash of a small box takes at least. Delayed by strace.
FLUSH_MS = [0, 2]
ABSURD_S = 300


def say(text):
    print(text, file=sys.stderr)


def ask(example, *arguments, flush_ms=0):
    """One command of scripts/bench-journal.rs to its end; each flush to the disk takes `flush_ms` longer."""
    command = [str(example), *map(str, arguments)]
    if flush_ms:
        slow = f"inject=fsync,fdatasync:delay_enter={flush_ms * 1000}"
        command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", slow, *command]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextlib.contextmanager
def folder():
    # Beside the repository's build, not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(dir=ROOT / ".setup") as path:
        yield path


def accepted(example, seconds, rounds, flush_ms):
    """Events per second by writers and frame, each as a ratio to bare commits of the same round."""
    sides = [(writers, frame) for frame in (0, FRAME) for writers in (1, 8, 64)]
    rates, ratios, bare = {side: [] for side in sides}, {side: [] for side in sides}, []
    for _ in range(rounds):
        with folder() as path:
            bare.append(ask(example, "bare", path, seconds, flush_ms=flush_ms)["per_second"])
        for side in sides:
            with folder() as path:
                rates[side].append(ask(example, "accept", path, seconds, *side, flush_ms=flush_ms)["per_second"])
            ratios[side].append(rates[side][-1] / bare[-1])
    return {
        "flush_ms": flush_ms,
        "bare_per_second": statistics.median(bare),
        "accepted": [
            {"writers": writers, "frame_bytes": frame, "per_second": statistics.median(rates[writers, frame]),
             "ratio": statistics.median(ratios[writers, frame]),
             "ratio_min": min(ratios[writers, frame]), "ratio_max": max(ratios[writers, frame])}
            for writers, frame in sides
        ],
    }


def latency(example, count):
    with folder() as path:
        told = ask(example, "latency", path, count)
    percentiles = lambda values: {"p50": statistics.median(values), "p95": statistics.quantiles(values, n=20)[18],
                                  "max": max(values)}
    return {name: percentiles(values) for name, values in told.items()}


class Receiver:
    """The same one for both sides."""

    def __init__(self, example):
        self.process = subprocess.Popen([str(example), "receiver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def seen(self):
        """What has arrived since `forget`."""
        return self.ask("seen")

    def forget(self):
        self.ask("forget")

    def ask(self, what):
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def python_with_celery():
    python = VENV / "bin/python"
    stamp = VENV / "packages"
    if not stamp.is_file() or stamp.read_text() != " ".join(PACKAGES):
        say(f"bench: making {VENV.relative_to(ROOT)} with {', '.join(PACKAGES)}")
        venv.create(VENV, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True, stdout=sys.stderr)
        stamp.write_text(" ".join(PACKAGES))
    return python


def redis_server():
    found = shutil.which("redis-server")
    if not found:
        say("bench: installing redis-server")
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "redis-server"], check=True,
                       stdout=sys.stderr, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        found = shutil.which("redis-server")
    return found


@contextlib.contextmanager
def redis():
    """A Redis that has every command on the disk before it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with folder() as path:
        server = subprocess.Popen([redis_server(), "--port", str(port), "--dir", path, "--appendonly", "yes",
                                   "--appendfsync", "always", "--save", ""], stdout=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def with_celery(python, receiver, count, body):
    """Deliveries per second of a worker that finds a full queue."""
    enqueue = ("import sys, json, bench_celery\nurl, body, ids = json.load(sys.stdin)\n"
               "for event_id in ids: bench_celery.deliver.delay(url, event_id, body)\n")
    with redis() as broker:
        environment = os.environ | {"BROKER": broker, "PYTHONPATH": str(ROOT / "scripts"), "C_FORCE_ROOT": "1"}
        ids = [str(uuid.uuid4()) for _ in range(count)]
        subprocess.run([python, "-c", enqueue], input=json.dumps([receiver.url, body, ids]), text=True, check=True,
                       env=environment)
        worker = subprocess.Popen(
            [python, "-m", "celery", "-A", "bench_celery", "worker", "-c", str(CONCURRENCY), "-l", "error",
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return rate(receiver, count)
        finally:
            worker.terminate()
            worker.wait()


def with_stakeout(example, receiver, count):
    with folder() as path:
        ask(example, "deliver", path, count, receiver.url)
    return rate(receiver, count)


def rate(receiver, count):
    """From the first arrival to the last: neither side's start counts."""
    began = time.monotonic()
    while (told := receiver.seen())["count"] < count:
        if time.monotonic() - began > ABSURD_S:
            sys.exit(f"bench: {told['count']} of {count} arrived")
        time.sleep(0.5)
    receiver.forget()
    return told["count"] / told["seconds"]


def table(rows):
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(str(cell).rjust(width) if index else str(cell).ljust(width)
                      for index, (cell, width) in enumerate(zip(row, widths))))


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}"


def journal(example, seconds, rounds, count):
    """All of it; answers what `--json` prints."""
    figures = {"machine": machine(), "disks": [accepted(example, seconds, rounds, flush_ms) for flush_ms in FLUSH_MS]}
    goals = {(1, 0): "≥ 0.8", (64, 0): "≥ 8"}
    for disk in figures["disks"]:
        which = f"this disk, each flush {disk['flush_ms']} ms slower" if disk["flush_ms"] else "this disk as it is"
        say(f"accepted events per second, {which}; bare SQLite FULL commits: {disk['bare_per_second']:.0f}")
        table([["writers", "frame", "per second", "ratio", "goal"]] + [
            [it["writers"], f"{it['frame_bytes'] // 1000} kB", f"{it['per_second']:.0f}",
             f"{it['ratio']:.2f} ({it['ratio_min']:.2f} to {it['ratio_max']:.2f})",
             goals.get((it["writers"], it["frame_bytes"]), "")] for it in disk["accepted"]])

    figures["first_byte"] = latency(example, 200)
    told = figures["first_byte"]["from_commit_ms"]
    say(f"from the commit to the first byte at a loopback receiver: p50 {told['p50']:.2f} ms, p95 {told['p95']:.2f} ms "
        f"(goal: under 20), max {told['max']:.2f} ms; "
        f"from the call, commit included: p95 {figures['first_byte']['from_call_ms']['p95']:.2f} ms")

    python, body = python_with_celery(), json.dumps({"type": "monitor.triggered", "data": "x" * 1000})
    ours, theirs = [], []
    with Receiver(example) as receiver:
        for _ in range(rounds):
            ours.append(with_stakeout(example, receiver, count))
            theirs.append(with_celery(python, receiver, count // 4, body))
    ratios = [mine / other for mine, other in zip(ours, theirs)]
    figures["deliveries"] = {"per_second": statistics.median(ours), "celery_per_second": statistics.median(theirs),
                             "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
    told = figures["deliveries"]
    say(f"deliveries per second to one endpoint, concurrency {CONCURRENCY}, no rate limit: {told['per_second']:.0f}; "
        f"Celery with Redis (acks_late, appendfsync always): {told['celery_per_second']:.0f}; "
        f"ratio {told['ratio']:.1f} ({told['ratio_min']:.1f} to {told['ratio_max']:.1f}), goal: ≥ 5")
    say(f"machine: {figures['machine']}; medians of {rounds} rounds")
    return figures


CONFIG = """
[device]
id = "bench"
[storage]
path = "{folder}/state"
max_size = "64GiB"
[runtime]
onnxruntime = "{library}"
threads = 1
[api]
socket = "{folder}/stakeout.sock"
[log]
format = "text"
[[camera]]
name = "yard"
url = "file://{root}/tests/data/yard.mp4"
loop = true
[[model]]
name = "yard-classifier"
path = "{root}/models/yard-classifier"
[[monitor]]
name = "person"
camera = "yard"
model = "yard-classifier"
labels = ["person"]
enabled = false
[[endpoint]]
name = "ops"
url = "{url}"
secret_file = "{folder}/ops.secret"
"""


def started(binary, library, url, path, seconds):
    """The daemon on the journal in `path`, for so long; its resident megabytes then, and their peak."""
    config, secret = pathlib.Path(path, "stakeout.toml"), pathlib.Path(path, "ops.secret")
    config.write_text(CONFIG.format(folder=path, library=library, root=ROOT, url=url))
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    secret.chmod(0o600)
    with open(pathlib.Path(path, "log"), "w") as log:
        daemon = subprocess.Popen([str(binary), "run", "--config", str(config)], stderr=log, stdout=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
        return {name: int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024
                for name, field in [("rss_mb", "VmRSS"), ("peak_mb", "VmHWM")]}
    finally:
        daemon.terminate()
        daemon.wait()


def backlog(binary, example, library, rows, seconds=15):
    """From the start of the process to the first arrival, and the memory it takes; answers what `--json` prints."""
    with folder() as empty, folder() as full, Receiver(example) as receiver:
        figures = {"machine": machine(), "empty": started(binary, library, receiver.url, empty, seconds)}
        pathlib.Path(full, "state").mkdir()
        figures["journal"] = ask(example, "backlog", f"{full}/state", rows)
        receiver.forget()
        began = time.monotonic()
        figures["full"] = started(binary, library, receiver.url, full, seconds)
        told, now = receiver.seen(), time.monotonic()
        if not told["count"]:
            sys.exit(f"bench: nothing was delivered\n{pathlib.Path(full, 'log').read_text()}")
        figures |= {"first_delivery_s": now - told["first_ago"] - began, "delivered": told["count"],
                    "memory_ratio": figures["full"]["rss_mb"] / figures["empty"]["rss_mb"],
                    "peak_ratio": figures["full"]["peak_mb"] / figures["empty"]["peak_mb"]}
    table([
        ["", "measured", "goal"],
        ["deliveries that are due", f"{figures['journal']['pending']:,} in {figures['journal']['bytes'] / 1e6:.0f} MB", ""],
        ["start of the process to the first delivery", f"{figures['first_delivery_s']:.2f} s", "under 2 s"],
        ["resident memory, beside an empty journal",
         f"{figures['full']['rss_mb']:.0f} MB / {figures['empty']['rss_mb']:.0f} MB = {figures['memory_ratio']:.2f}", "under 1.2"],
        ["its peak", f"{figures['full']['peak_mb']:.0f} MB / {figures['empty']['peak_mb']:.0f} MB = {figures['peak_ratio']:.2f}", ""],
    ])
    say(f"machine: {figures['machine']}; {seconds} s each")
    return figures

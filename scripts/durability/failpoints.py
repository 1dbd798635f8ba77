"""The process ends between every two steps that reach the disk: strace kills it on the way into the n-th such call.

strace counts calls thread by thread. So there are two scenes: the first start on an empty directory, from its first call
on; and the thread `journal-writer` alone, from before its first event until an orderly stop. (Not with strace's
`--seccomp-bpf`: 6.1 then forgets to inject into the first calls.)
"""
import collections
import contextlib
import itertools
import pathlib
import random
import shutil
import subprocess
import tempfile
import time
from concurrent import futures

from . import ledger
from .box import ABSURD_S, Box
from .kills import settle
from .power import Found
from .receiver import Receiver

CALLS = ("pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir")
SCENES = ("first start", "writer")


# Points at a time: mostly they wait for the person in the clip.
AT_ONCE = 4

# A person comes into the clip after 4.5 s; by then strace has hold of the writer.
A_PERSON = 0.8


def run(product, sample, seed, say=lambda _words: None):
    """Every point of both scenes, or `sample` of them. How many killed, by scene and call, and what was found."""
    found, killed = Found(), collections.Counter()
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:

        def run_all(points):
            died = list(pool.map(lambda it: point(product, *it, found), points))
            killed.update(f"{scene}: {call}" for (scene, call, _), fatal in zip(points, died) if fatal)
            return all(died)

        if sample:
            chance = random.Random(seed)
            while killed.total() < sample:
                run_all([_some(chance) for _ in range(min(AT_ONCE, sample - killed.total()))])
            return dict(killed), found
        for scene in SCENES:
            for call in CALLS:
                batches = ([(scene, call, first + more) for more in range(AT_ONCE)] for first in itertools.count(1, AT_ONCE))
                while run_all(next(batches)):
                    pass
                say(f"{scene}: {call}: {killed[f'{scene}: {call}']} points")
    return dict(killed), found


def _some(chance):
    """A point that surely exists."""
    return chance.choice([("first start", "pwrite64", chance.randint(1, 60)), ("first start", "fsync", chance.randint(1, 8)),
                          ("first start", "rename", 1), ("writer", "pwrite64", chance.randint(1, 25)),
                          ("writer", "fsync", chance.randint(1, 6)), ("writer", "rename", 1)])


def point(product, scene, call, number, found, spoil=lambda _box: None):
    """One run of a scene that ends on the way into the `number`-th `call`, and what a start finds. False: there are not
    so many calls."""
    receiver = Receiver()
    receiver.mood = "calm"
    with tempfile.TemporaryDirectory() as folder:
        box = Box(product, folder, receiver.url, cameras=1, monitors=1, threshold=A_PERSON, cooldown="1h",
                  endpoints=("ops",))
        try:
            died = (_first_start if scene == "first start" else _writer)(box, _tracer(call, number))
            spoil(box)
            found.cuts += 1
            found.promises += len(box.accepted)
            _look(box, receiver, found, f"{scene}, {call} {number}")
        finally:
            box.give_up()
            receiver.close()
    return died


def _tracer(call, number):
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]


def _first_start(box, tracer):
    """Until it answers, and then an orderly stop."""
    box.start(*tracer, "-f")
    while box.process.poll() is None and box.get("/v1/status") is None:
        time.sleep(0.01)
    return _end(box, _child(box.process.pid))


def _writer(box, tracer):
    """One event, its delivery, an orderly stop; while nothing was recorded yet, strace takes hold of the writer."""
    box.start()
    box.wait_until_ready()
    tasks = pathlib.Path(f"/proc/{box.process.pid}/task").iterdir()
    writer = next(task.name for task in tasks if (task / "comm").read_text().strip() == "journal-writer")
    strace = subprocess.Popen([*tracer, "-p", writer], stderr=subprocess.DEVNULL)
    status = pathlib.Path(f"/proc/{box.process.pid}/task/{writer}/status")
    box.until("a tracer", lambda: f"TracerPid:\t{strace.pid}" in status.read_text())
    while box.process.poll() is None and not _delivered(box):
        time.sleep(0.01)
    died = _end(box, box.process.pid)
    strace.wait()
    return died


def _delivered(box):
    page = box.get("/v1/deliveries?state=delivered&limit=1")
    return page is not None and bool(page["items"])


def _end(box, daemon):
    """An orderly stop, unless it has ended already. Whether it was killed."""
    if daemon is not None:
        with contextlib.suppress(ProcessLookupError, subprocess.CalledProcessError):
            subprocess.run(["kill", "-TERM", str(daemon)], check=True, stderr=subprocess.DEVNULL)
    code = box.process.wait(ABSURD_S)
    box.process = None
    box.read_log()
    return code != 0


def _child(parent):
    told = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True).stdout.split()
    return int(told[0]) if told else None


def _look(box, receiver, found, where):
    verdict = settle(box, receiver, kills=1)
    if not verdict.is_clean():
        for kind in ("lost", "altered"):
            for key in getattr(verdict, kind):
                found.note(kind, f"{where}: {key}")
        if verdict.corrupt or verdict.claimed or verdict.spurious or verdict.gaps or verdict.too_many:
            found.note("corrupt", f"{where}: {verdict.figures()}")
    with box.database() as database:
        rows = ledger.frozen(database, box.state)
        named = {name for deliveries in rows.values() for row, _ in deliveries for name in row[3:] if name}
    for event, deliveries in rows.items():
        if any("missing" in pictures for _, pictures in deliveries):
            found.note("frames", f"{where}: {event}")
    if orphans := {file.name for file in (box.state / "frames").iterdir()} - named:
        found.note("unusable", f"{where}: not swept: {orphans}")


def unframed(product):
    """The negative control: the frames are gone when it starts again. The look must see rows without their frames."""
    found = Found()

    def spoil(box):
        shutil.rmtree(box.state / "frames")

    point(product, "writer", "fsync", 10_000, found, spoil)
    return found

"""The process ends between every two steps that reach the disk: strace kills it on the way into the n-th such call.

strace counts calls thread by thread. So there are scenes: the first start on an empty directory, from its first call on;
the thread `journal-writer` alone, from before its first event until an orderly stop; the thread `recorder` alone, for as
long; and the start after a kill that came while a clip was recorded, until that is settled. (Not with strace's
`--seccomp-bpf`: 6.1 then forgets to inject into the first calls.)
"""
import collections
import contextlib
import itertools
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from concurrent import futures

from . import clips, ledger
from .box import ABSURD_S, Box
from .kills import settle, unfinished
from .power import Found
from .receiver import Receiver

CALLS = ("pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir")
RECORDERS_CALLS = ("mkdir", "openat", "write", "fdatasync", "fsync")

# Points at a time: mostly they wait for the person in the clip.
AT_ONCE = 4

# A person comes into the yard after 4.5 s; by then strace has hold of the thread.
A_PERSON = 0.8

# A fragment of what was before, another one of what came.
CLIP = '{ before = "1s", after = "1s", max = "4s" }'


def run(product, sample, seed, say=lambda _words: None):
    """Every point of all scenes, or `sample` of them. How many killed, by scene and call, and what was found."""
    found, killed = Found(), collections.Counter()
    with futures.ThreadPoolExecutor(AT_ONCE) as pool, killed_while_recording(product) as left:

        def run_all(points):
            died = list(pool.map(lambda it: point(product, *it, found, left), points))
            killed.update(f"{scene}: {call}" for (scene, call, _), fatal in zip(points, died) if fatal)
            return all(died)

        if sample:
            chance = random.Random(seed)
            while killed.total() < sample:
                run_all([_some(chance) for _ in range(min(AT_ONCE, sample - killed.total()))])
            return dict(killed), found
        for scene, (_, calls) in SCENES.items():
            for call in calls:
                batches = ([(scene, call, first + more) for more in range(AT_ONCE)] for first in itertools.count(1, AT_ONCE))
                while run_all(next(batches)):
                    pass
                say(f"{scene}: {call}: {killed[f'{scene}: {call}']} points")
    return dict(killed), found


def _some(chance):
    """A point that surely exists."""
    return chance.choice([("first start", "pwrite64", chance.randint(1, 60)), ("first start", "fsync", chance.randint(1, 8)),
                          ("first start", "rename", 1), ("writer", "pwrite64", chance.randint(1, 60)),
                          ("writer", "fsync", chance.randint(1, 8)), ("writer", "rename", 1),
                          ("recorder", "write", chance.randint(1, 3)), ("recorder", "fdatasync", chance.randint(1, 3)),
                          ("recorder", "fsync", 1), ("start after a kill", "ftruncate", chance.randint(1, 2)),
                          ("start after a kill", "fsync", chance.randint(1, 8)),
                          ("start after a kill", "pwrite64", chance.randint(1, 20))])


@contextlib.contextmanager
def killed_while_recording(product):
    """A box that was killed while it recorded: its state, with the torn end of a fragment, and what it had accepted."""
    receiver = Receiver()
    receiver.mood = "refusing"
    with tempfile.TemporaryDirectory() as folder:
        box = _box(product, folder, receiver)
        try:
            box.start()
            box.wait_until_ready()
            box.until("a fragment", lambda: any(row.bytes for row in clips.rows_of_a_daemon(box.state).values()))
            box.kill()
            (clip,) = [clip for clip, row in clips.rows_of_a_copy(box.state).items() if row.state == "recording"]
            with (box.state / clips.FOLDER / f"{clip}.mp4").open("ab") as file:
                file.write(bytes(1000))
            yield box
        finally:
            box.give_up()
            receiver.close()


def _box(product, folder, receiver):
    return Box(product, folder, receiver.url, cameras=1, monitors=1, threshold=A_PERSON, cooldown="1h", endpoints=("ops",),
               clip=CLIP)


def point(product, scene, call, number, found, left=None, spoil=lambda _box: None):
    """One run of a scene that ends on the way into the `number`-th `call`, and what a start finds. `left`: what the last
    scene starts on. False: there are not so many calls."""
    receiver = Receiver()
    receiver.mood = "calm"
    where = f"{scene}, {call} {number}"
    with tempfile.TemporaryDirectory() as folder:
        box = _box(product, folder, receiver)
        try:
            died = SCENES[scene][0](box, _tracer(call, number), left)
            spoil(box)
            found.cuts += 1
            found.promises += len(box.accepted)
            _look(box, receiver, found, where, unfinished(box, found.clips, where))
        finally:
            box.give_up()
            receiver.close()
    return died


def _tracer(call, number):
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]


def _first_start(box, tracer, _left):
    """Until it answers, and then an orderly stop."""
    box.start(*tracer, "-f")
    while box.process.poll() is None and box.get("/v1/status") is None:
        time.sleep(0.01)
    return _end(box, _child(box.process.pid))


def _start_after_a_kill(box, tracer, left):
    """Until what was being recorded is settled, and then an orderly stop."""
    shutil.copytree(left.state, box.state)
    box.accepted = set(left.accepted)
    box.configure(watching=False)
    box.start(*tracer, "-f")
    while box.process.poll() is None and not _is_filmed(box):
        time.sleep(0.01)
    return _end(box, _child(box.process.pid))


def _thread(name):
    def scene(box, tracer, _left):
        """One event, its clip, all its deliveries, an orderly stop; while nothing was recorded yet, strace takes hold."""
        box.start()
        box.wait_until_ready()
        tasks = pathlib.Path(f"/proc/{box.process.pid}/task").iterdir()
        task = next(task.name for task in tasks if (task / "comm").read_text().strip() == name)
        strace = subprocess.Popen([*tracer, "-p", task], stderr=subprocess.DEVNULL)
        status = pathlib.Path(f"/proc/{box.process.pid}/task/{task}/status")
        box.until("a tracer", lambda: f"TracerPid:\t{strace.pid}" in status.read_text())
        while box.process.poll() is None and not (_is_filmed(box) and not box.owes("pending")):
            time.sleep(0.01)
        died = _end(box, box.process.pid)
        strace.wait()
        return died

    return scene


SCENES = {"first start": (_first_start, CALLS), "writer": (_thread("journal-writer"), CALLS),
          "recorder": (_thread("recorder"), RECORDERS_CALLS), "start after a kill": (_start_after_a_kill, CALLS)}


def _is_filmed(box):
    """There was a clip, and it has ended."""
    # Killed while we look: its files are in motion.
    with contextlib.suppress(sqlite3.Error):
        known = clips.rows_of_a_daemon(box.state).values()
        return bool(known) and all(row.state != "recording" for row in known)
    return False


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


def _look(box, receiver, found, where, promised):
    verdict = settle(box, receiver, 1, found.clips, promised)
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


def spoiled(product):
    """The negative control: the frames and the clips are gone when it starts again. The look must see rows without them."""
    found = Found()

    def spoil(box):
        shutil.rmtree(box.state / "frames")
        shutil.rmtree(box.state / clips.FOLDER)

    point(product, "writer", "fsync", 10_000, found, spoil=spoil)
    return found

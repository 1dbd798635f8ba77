"""Power cuts: what the built daemon did to its disk is recorded once, then replayed to random points.

A promise is a log line that the daemon writes after a commit; strace sees it in one order with the writes and flushes.
Controls run over the same recording: flushes that `synchronous=NORMAL` or `OFF` would not have made, or those of the
frames or of the clips, count as never made. Then promises must be found broken, or the replay could not see a loss. That
needs no switch in the product which could be left on by mistake.
"""
import random
import shutil
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass, field

from . import clips, ledger, trace
from .box import ABSURD_S, Box, Trouble
from .clips import Clips
from .disk import Disk
from .receiver import Receiver

WAL, DATABASE, FRAMES = "journal.db-wal", "journal.db", "frames/"
CLIPS = (clips.FOLDER, f"{clips.FOLDER}/")
WAL_HEADER = 32

# Read by the built binary too, and started again, at every so many-th point: a process takes longer than a replay.
READ_EVERY, START_EVERY = 10, 20

# One cut of so many falls between a fragment's write and its flush, where few of the random ones do; and is started again.
TORN_EVERY = 10


@dataclass
class Recording:
    """What happened on the disk from the first start on, and what every row said in the end."""

    steps: list
    rows: dict
    # All that was ever written to each file of a clip, by its path.
    clips: dict


@dataclass
class Found:
    """What cuts did."""

    cuts: int = 0
    promises: int = 0
    lost: int = 0
    corrupt: int = 0
    altered: int = 0
    frames: int = 0
    unusable: int = 0
    clips: Clips = field(default_factory=Clips)
    details: list = field(default_factory=list)

    def note(self, kind, words):
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.details) < 5:
            self.details.append(f"{kind}: {words}")

    def is_clean(self):
        return not (self.lost or self.corrupt or self.altered or self.frames or self.unusable) and self.clips.is_clean()

    def add(self, other):
        for kind in ("cuts", "promises", "lost", "corrupt", "altered", "frames", "unusable", "details"):
            setattr(self, kind, getattr(self, kind) + getattr(other, kind))
        self.clips.add(other.clips)

    def figures(self):
        return {"cuts": self.cuts, "promises": self.promises, "lost": self.lost, "corrupt": self.corrupt,
                "altered": self.altered, "frames_missing": self.frames, "unusable": self.unusable,
                "clips": self.clips.figures()}


def record(product, folder, events):
    """First start, events, deliveries, clips, a kill, another start, more of it, an orderly end: under strace."""
    receiver = Receiver()
    receiver.mood = "calm"
    box = Box(product, folder, receiver.url, endpoints=("ops",), clip=clips.CLIP)
    text = []
    try:
        for end in ("kill", "stop"):
            output = box.folder / f"trace-{end}"
            box.start(*trace.command(output))
            goal = len(box.accepted) + events // 2
            box.until(f"{goal} events", lambda goal=goal: box.read_log() and len(box.accepted) >= goal)
            box.until("a clip that is ready, and a fragment of one that isn't", lambda: _is_filmed(box.state))
            _end(box, end)
            text.append(output.read_text())
        with box.database() as database:
            rows = ledger.frozen(database, box.state)
    finally:
        box.give_up()
        receiver.close()
    steps = [step for part in text for step in trace.steps(part, box.state)]
    promised = {step.to for step in steps if step.kind == "promise"}
    if len(promised) < events // 2 or not promised <= rows.keys():
        raise Trouble(f"{len(promised)} promises and {len(rows)} rows were recorded: that can't be all")
    return box, Recording(steps, rows, _written(steps))


def _is_filmed(state):
    known = clips.rows_of_a_daemon(state).values()
    return any(it.state == "ready" for it in known) and any(it.state == "recording" and it.bytes for it in known)


def _written(steps):
    """By path: what was written to the files of clips, one piece behind the other."""
    written = {}
    for step in steps:
        if step.kind == "write" and step.path.startswith(CLIPS[1]):
            written[step.path] = written.get(step.path, b"") + step.data
    return written


def _end(box, end):
    """Ends the daemon, not strace, which ends with it."""
    child = subprocess.run(["pgrep", "-P", str(box.process.pid)], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["kill", "-KILL" if end == "kill" else "-TERM", *child], check=True)
    box.process.wait(ABSURD_S)
    box.process = None
    box.read_log()


def full(steps):
    """The flushes as they were made."""
    return steps


def normal(steps):
    """The flushes that `synchronous=NORMAL` makes of the log: after its header, and before a checkpoint; not one for each
    commit."""
    kept = []
    for at, step in enumerate(steps):
        if step.kind == "sync" and step.path == WAL:
            before = next((it for it in reversed(steps[:at]) if it.path == WAL and it.kind == "write"), None)
            after = next((it for it in steps[at + 1:] if it.path in (WAL, DATABASE)), None)
            header = before is not None and before.at == 0 and len(before.data) <= WAL_HEADER
            if not header and not (after is not None and after.path == DATABASE):
                continue
        kept.append(step)
    return kept


def off(steps):
    """No flush of the database or its log at all: `synchronous=OFF`."""
    return [step for step in steps if not (step.kind == "sync" and step.path in (WAL, DATABASE))]


def frames_unflushed(steps):
    """Frames are renamed without having been flushed."""
    return [step for step in steps if not (step.kind == "sync" and step.path.startswith(FRAMES))]


def clips_unflushed(steps):
    """Rows name clips that were never flushed."""
    return [step for step in steps if not (step.kind == "sync" and (step.path == CLIPS[0] or step.path.startswith(CLIPS[1])))]


def replay(box, recording, cuts, seed, discipline=full, processes=True):
    """Cuts the power at random moments of the recording and looks at what is left."""
    chance = random.Random(seed)
    steps = discipline(recording.steps)
    torn = _behind_fragments(steps, chance, cuts // TORN_EVERY)
    points = sorted(torn + [chance.randrange(1, len(steps) + 1) for _ in range(cuts - len(torn))])
    disk, promised, done, found, player = Disk(), set(), 0, Found(), clips.Player()
    for number, point in enumerate(points):
        for step in steps[done:point]:
            if step.kind == "promise":
                promised.add(step.to)
            else:
                disk.do(step)
        done = point
        shutil.rmtree(box.state, ignore_errors=True)
        box.state.mkdir()
        disk.cut(chance, box.state)
        found.cuts += 1
        found.promises += len(promised)
        if processes and number % READ_EVERY == 0:
            _read_by_the_binary(box, promised, found)
        _look(box.state, recording.rows, promised, found, f"point {point}")
        if processes and (number % START_EVERY == 0 or point in torn):
            _start_again(box, promised, recording.clips, player, found, f"point {point}")
    return found


def _behind_fragments(steps, chance, count):
    """`count` of the moments at which a clip's file has grown and that is not flushed yet."""
    moments = [at for at, step in enumerate(steps, 1) if step.kind == "write" and step.path.startswith(CLIPS[1])]
    return chance.choices(moments, k=count) if moments else []


def _look(state, rows, promised, found, where):
    file = state / DATABASE
    here = {}
    if file.exists():
        database = sqlite3.connect(file)
        try:
            said = ledger.integrity(database)
            if said != "ok":
                return found.note("corrupt", f"{where}: {said}")
            if database.execute("PRAGMA user_version").fetchone()[0] > 0:
                here = ledger.frozen(database, state)
                clips.interrupted(state, clips.rows(database), found.clips, where)
        # What SQLite takes for whole may still be garbage: names with zeros in them or as long as a page, ids that are too short.
        except (sqlite3.DatabaseError, OSError, TypeError, ValueError) as error:
            return found.note("corrupt", f"{where}: {error}")
        finally:
            database.close()
    for event in promised - here.keys():
        found.note("lost", f"{where}: {event}")
    for event, deliveries in here.items():
        if [pictures for _, pictures in deliveries] != [pictures for _, pictures in rows[event]]:
            found.note("frames", f"{where}: {event}")
        if [bodies for bodies, _ in deliveries] != [bodies for bodies, _ in rows[event]]:
            found.note("altered", f"{where}: {event}")


def _read_by_the_binary(box, promised, found):
    """`stakeout events --json` on the files as they are."""
    ended, events = box.events_of_reader()
    if missing := promised - {event["id"] for event in events}:
        found.note("lost" if ended.returncode == 0 else "unusable", f"{len(missing)} events: {ended.stderr[-500:]}")


def _start_again(box, promised, written, player, found, where):
    """A daemon comes up on what is left, lists what was promised, and makes whole what was being recorded."""
    box.configure(watching=False)
    before = set(box.accepted)
    box.accepted = set()
    box.start()
    try:
        box.wait_until_ready()
        box.list_events(0)
        if missing := promised - box.accepted:
            found.note("lost", f"after a start: {len(missing)} events")
        box.until("an end of what was unfinished", lambda: _is_settled(box.state))
        box.stop()
        with box.database() as database:
            clips.settled(box.state, clips.rows(database), found.clips, where, player)
        clips.begin_as(box.state, written, found.clips, where)
    except Trouble as trouble:
        found.note("unusable", str(trouble))
    finally:
        box.give_up()
        box.process = None
        box.accepted = before


def _is_settled(state):
    return not any(row.state == "recording" for row in clips.rows_of_a_daemon(state).values())


CONTROLS = {"synchronous=NORMAL": normal, "synchronous=OFF": off, "frames not flushed": frames_unflushed,
            "clips not flushed": clips_unflushed}


def run(product, cuts, seed, say=lambda _words: None):
    """The cuts, spread over several recordings, and the controls on one of them."""
    total, controls = Found(), {}
    recordings = max(1, cuts // 500)
    for number in range(recordings):
        with tempfile.TemporaryDirectory() as folder:
            box, recording = record(product, folder, events=60)
            share = cuts // recordings + (number < cuts % recordings)
            found = replay(box, recording, share, seed + number)
            total.add(found)
            say(f"{total.cuts} power cuts, {len(recording.steps)} steps in the last recording")
            if number == 0:
                for name, discipline in CONTROLS.items():
                    controls[name] = replay(box, recording, max(60, cuts // 10), seed, discipline, processes=False)
    return total, controls

"""kill -9 at moments without a plan, under load and while clips are recorded, against a receiver that is no pleasure."""
import random
import shutil
import tempfile
import time

from . import clips, ledger
from .box import CONCURRENCY, Box, Trouble
from .clips import Clips
from .oracle import Evidence, judge
from .receiver import Receiver

# One kill in so many comes while the daemon starts, without waiting for an event.
EARLY = 5

# One in so many comes late enough for clips to have several fragments, or to have ended.
LATE, LATE_S = 3, 9


def run(product, kills, seed, say=lambda _words: None):
    """`kills` times: start, let it accept something, kill. Then everything that was promised must be there."""
    chance = random.Random(seed)
    receiver = Receiver(seed)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(product, folder, receiver.url, clip=clips.CLIP)
        filmed, promised = Clips(), {}
        try:
            under_load = 0
            seen = 0
            for number in range(kills):
                under_load, seen = _one(box, chance, number, under_load, seen)
                promised |= unfinished(box, filmed, f"kill {number + 1}")
                if (number + 1) % 50 == 0:
                    say(f"{number + 1} kills, {len(box.accepted)} events accepted")
            if not box.accepted:
                raise Trouble("nothing was ever accepted: this run proves nothing")
            verdict = settle(box, receiver, kills, filmed, promised)
        finally:
            box.give_up()
            receiver.close()
    return verdict, under_load, filmed, len(promised)


def _one(box, chance, number, under_load, seen):
    """One start and one kill; how many kills came while events did, and the `seq` that was listed last."""
    box.start()
    if number % EARLY == EARLY - 1:
        time.sleep(chance.uniform(0, 0.6))
    else:
        box.until("accepted event", box.read_log)
        time.sleep(chance.uniform(0, LATE_S if number % LATE == LATE - 1 else 0.4))
        under_load += 1
        if chance.random() < 0.3:
            seen = box.list_events(seen)
    box.kill()
    return under_load, seen


def unfinished(box, filmed, where):
    """Looks at the clips of a box that was killed; answers what the next start must make of them."""
    known = clips.rows_of_a_copy(box.state)
    clips.interrupted(box.state, known, filmed, where)
    return clips.whole(box.state, known)


def spoiled_clips(product):
    """The negative controls of clips, on one box that was killed: a ready one is removed, a byte of another is altered, and
    an unfinished one loses its end. Each must be noticed: what was, kind by kind."""
    receiver, filmed = Receiver(), Clips()
    receiver.mood = "calm"
    with tempfile.TemporaryDirectory() as folder:
        box = Box(product, folder, receiver.url, cameras=1, monitors=1, clip=clips.CLIP)
        try:
            box.start()
            box.wait_until_ready()
            box.until("two clips and a fragment of a third", lambda: _is_enough(clips.rows_of_a_daemon(box.state)))
            box.kill()
            promised = unfinished(box, filmed, "before it was spoiled")
            if filmed.wrong:
                raise Trouble(f"clips were wrong before they were spoiled: {filmed.details}")
            _spoil(box)
            unfinished(box, filmed, "spoiled")
            settle(box, receiver, 1, filmed, promised)
        finally:
            box.give_up()
            receiver.close()
    return filmed


def _is_enough(known):
    states = [row.state for row in known.values()]
    return states.count("ready") >= 2 and any(row.state == "recording" and row.bytes for row in known.values())


def _spoil(box):
    known = clips.rows_of_a_copy(box.state)
    folder = box.state / clips.FOLDER
    removed, altered = [folder / f"{clip}.mp4" for clip, row in known.items() if row.state == "ready"][:2]
    removed.unlink()
    last = altered.read_bytes()[-1]
    with altered.open("r+b") as file:
        file.seek(-1, 2)
        file.write(bytes([255 - last]))
    unfinished_one = next(clip for clip, row in known.items() if row.state == "recording" and row.bytes)
    with (folder / f"{unfinished_one}.mp4").open("r+b") as file:
        file.truncate(known[unfinished_one].bytes - 1)


def wiped(product):
    """The negative control: between two starts the journal is gone. The oracle must miss what was in it."""
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder:
        box = Box(product, folder, receiver.url, cameras=1, monitors=1)
        try:
            receiver.mood = "refusing"
            box.start()
            box.until("ten events", lambda: box.read_log() and len(box.accepted) >= 10)
            box.kill()
            shutil.rmtree(box.state)
            return settle(box, receiver, kills=1)
        finally:
            box.give_up()
            receiver.close()


def altered(product):
    """The negative control: a body that comes again has changed on its way. The oracle must say so."""
    receiver = Receiver(alter=lambda count, body: body + b" " if count > 1 else body)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(product, folder, receiver.url, cameras=1, monitors=1)
        try:
            receiver.mood = "refusing"
            box.start()
            box.until("two attempts at something", lambda: any(it.count > 1 for it in list(receiver.arrivals.values())))
            box.kill()
            return settle(box, receiver, kills=1)
        finally:
            box.give_up()
            receiver.close()


def settle(box, receiver, kills, filmed=None, promised=()):
    """A start, everything delivered, no clip left unfinished, an orderly end; then the oracles."""
    receiver.mood = "calm"
    box.deliver_everything(lambda: not any(it.state == "recording" for it in clips.rows_of_a_daemon(box.state).values()))
    box.stop()
    with box.database() as database:
        integrity, journal, known = ledger.integrity(database), ledger.deliveries(database), clips.rows(database)
    if filmed is not None:
        clips.settled(box.state, known, filmed, "settled", clips.Player())
        clips.kept(known, dict(promised), filmed, "settled")
    return judge(Evidence(box.accepted, journal, dict(receiver.arrivals), box.endpoints, kills, CONCURRENCY, integrity))

"""kill -9 at moments without a plan, under load, against a receiver that is no pleasure."""
import random
import shutil
import tempfile
import time

from . import ledger
from .box import CONCURRENCY, Box, Trouble
from .oracle import Evidence, judge
from .receiver import Receiver

# One kill in so many comes while the daemon starts, without waiting for an event.
EARLY = 5


def run(binary, library, kills, seed, say=lambda _words: None):
    """`kills` times: start, let it accept something, kill. Then everything that was promised must be there."""
    chance = random.Random(seed)
    receiver = Receiver(seed)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(binary, library, folder, receiver.url)
        try:
            under_load = 0
            seen = 0
            for number in range(kills):
                under_load, seen = _one(box, chance, number, under_load, seen)
                if (number + 1) % 50 == 0:
                    say(f"{number + 1} kills, {len(box.accepted)} events accepted")
            if not box.accepted:
                raise Trouble("nothing was ever accepted: this run proves nothing")
            verdict = settle(box, receiver, kills)
        finally:
            box.give_up()
            receiver.close()
    return verdict, under_load


def _one(box, chance, number, under_load, seen):
    """One start and one kill; how many kills came while events did, and the `seq` that was listed last."""
    box.start()
    if number % EARLY == EARLY - 1:
        time.sleep(chance.uniform(0, 0.6))
    else:
        box.until("accepted event", box.read_log)
        time.sleep(chance.uniform(0, 0.4))
        under_load += 1
        if chance.random() < 0.3:
            seen = box.list_events(seen)
    box.kill()
    return under_load, seen


def wiped(binary, library):
    """The negative control: between two starts the journal is gone. The oracle must miss what was in it."""
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder:
        box = Box(binary, library, folder, receiver.url, cameras=1, monitors=1)
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


def altered(binary, library):
    """The negative control: a body that comes again has changed on its way. The oracle must say so."""
    receiver = Receiver(alter=lambda count, body: body + b" " if count > 1 else body)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(binary, library, folder, receiver.url, cameras=1, monitors=1)
        try:
            receiver.mood = "refusing"
            box.start()
            box.until("two attempts at something", lambda: any(it.count > 1 for it in list(receiver.arrivals.values())))
            box.kill()
            return settle(box, receiver, kills=1)
        finally:
            box.give_up()
            receiver.close()


def settle(box, receiver, kills):
    """A start, everything delivered, an orderly end; then the oracle."""
    receiver.mood = "calm"
    box.deliver_everything()
    box.stop()
    with box.database() as database:
        integrity, journal = ledger.integrity(database), ledger.deliveries(database)
    return judge(Evidence(box.accepted, journal, dict(receiver.arrivals), box.endpoints, kills, CONCURRENCY, integrity))

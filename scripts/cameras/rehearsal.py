"""`scripts/bench cameras missed` and `wakes`: what a sleeping camera makes of encoded clips, faster than real time.

The product's own feed, policy and gate run in the clip's time (`scripts/bench-cameras.rs`). Every variant is encoded anew.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile

from bench_pinned import die

from . import clips

NOTICE_MS, CHECK_MS = 2000, 1000
# How long a camera is awake after what woke it, and may take to be woken: not counted as quiet.
AFTERMATH_S, EDGE_S = 8, 0.5
# Until it knows the keyframe interval and the scene.
WARM_UP_S = 10


class Rehearsal:
    """One process of the example, used by one thread at a time."""

    def __init__(self, example):
        self.process = subprocess.Popen([str(example)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def play(self, clip, decode):
        asked = {"clip": str(clip), "decode": decode, "notice_ms": NOTICE_MS, "every_ms": CHECK_MS}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else die(f"the rehearsal of {clip} failed; its error is above")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def each(example, variants, decodes):
    """[{decode: what was told}] for each variant, a tuple of ffmpeg's arguments; on every core at once."""
    with tempfile.TemporaryDirectory(dir=clips.FOLDER) as folder:
        def one(number):
            path, camera = pathlib.Path(folder) / f"{number}.mp4", Rehearsal(example)
            try:
                clips.render(path, variants[number])
                return {decode: camera.play(path, decode) for decode in decodes}
            finally:
                camera.end()
                path.unlink(missing_ok=True)

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(one, range(len(variants))))


def first_check(told, visit):
    """How long after a visit's beginning the first frame was taken that would be checked; None: none was."""
    return first_of(told["checks"], visit)


def first_frame(told, visit):
    """The same without the gate: frames that it kept from the model count, too."""
    return first_of(sorted(told["checks"] + told["still"]), visit)


def first_of(times, visit):
    within = [at - visit[0] for at in times if visit[0] - EDGE_S <= at <= visit[1] + EDGE_S]
    return max(0.0, min(within)) if within else None


def was_asleep(told, at):
    """Whether a visit that begins then meets a sleeping camera."""
    return not any(began <= at - EDGE_S <= until for began, until in told["awake"])


def quiet_awake(told, visits):
    """Seconds of quiet, seconds awake in them, and how often it woke for nothing."""
    busy = [(0, WARM_UP_S)] + [(began - EDGE_S, until + AFTERMATH_S) for began, until in visits]
    edges, quiet = 0.0, []
    for began, until in sorted(busy):
        if began > edges:
            quiet.append((edges, began))
        edges = max(edges, until)
    if told["seconds"] > edges:
        quiet.append((edges, told["seconds"]))
    overlaps = [min(one, until) - max(other, began) for began, until in quiet for other, one in told["awake"]]
    wakes = sum(began <= awake[0] < until for began, until in quiet for awake in told["awake"])
    return sum(until - began for began, until in quiet), sum(overlap for overlap in overlaps if overlap > 0), wakes

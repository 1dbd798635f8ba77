"""`scripts/bench cameras cpu`: CPU seconds a minute of one camera, beside ffmpeg and motion on the same stream.

All sides watch one stream at the same time, so that whatever else the machine does hits all of them; `--alone` gives each the
machine for itself, in turns. The processes that serve are not counted, threads that run models are told apart.
"""
import collections
import contextlib
import re
import statistics
import tempfile
import time

from bench_pinned import say

from . import clips, sides
from .machine import machine, named

# Four persons stand in the street; who walks through is the fifth, and opens an event.
MODEL = "yolox-nano"
MONITOR = """
[[monitor]]
name = "crowd"
cameras = {cameras}
model = "yolox-nano"
labels = ["person"]
min_count = 5
confidence_threshold = 0.5
"""

# Connecting, the first model run, learning what the scene looks like, falling asleep; motion takes as long.
SETTLE_S = 25

CASES = {
    "quiet": ("quiet", {"gop_s": 2}),
    "event": ("one event of 3 s a minute", {"gop_s": 2, "event_s": 3}),
    "gop4": ("quiet, GOP 4 s", {"gop_s": 4}),
    "gop1": ("quiet, GOP 1 s", {"gop_s": 1}),
}

NAMES = {
    "all": 'stakeout, decode = "all"', "auto": 'stakeout, decode = "auto"', "unwatched": "stakeout, a camera nobody watches",
    "fixed": "stakeout, no camera", "ffmpeg-1": "ffmpeg -threads 1 -f null", "ffmpeg": "ffmpeg -f null", "motion": "motion",
    "receiving": "gst-launch rtspsrc ! depay ! fakesink",
}

# (what, side, of which side, in which case, at most)
GOALS = [
    ("all / ffmpeg", "all", "ffmpeg-1", "quiet", 1.15),
    ("auto / all", "auto", "all", "quiet", 0.4),
    ("auto / motion", "auto", "motion", "quiet", 0.3),
    ("auto / all, one event a minute", "auto", "all", "event", 0.6),
]


def side(name, binary, url, folder, watched_for):
    """That side as a running process; `watched_for` are the sections of a model and a monitor."""
    ours = lambda decode, more: sides.Stakeout(binary, folder, {"cam": (url, decode)}, more, name)
    return {
        "all": lambda: ours("all", watched_for), "auto": lambda: ours("auto", watched_for), "unwatched": lambda: ours("auto", ""),
        "fixed": lambda: sides.Stakeout(binary, folder, {}, "", name),
        "ffmpeg-1": lambda: sides.ffmpeg(url, folder, 1), "ffmpeg": lambda: sides.ffmpeg(url, folder, None),
        "motion": lambda: sides.motion(url, folder), "receiving": lambda: sides.receiving(url, folder),
    }[name]()


def cpu(binary, chosen, rounds, seconds, alone):
    """The figures of the chosen cases."""
    before, told = machine(), {}
    say(f"cameras cpu: 1080p H.264, {clips.FPS} fps, 3 Mbit/s, medians of {rounds} rounds of {seconds:g} s, "
        f"{'each side alone' if alone else 'all sides at once'}; {named(before)}")
    for case in chosen:
        words, recipe = CASES[case]
        clip = clips.street(**recipe)
        measured = [one_round(binary, clip, seconds, alone) for _ in range(rounds)]
        told[case] = {name: summary([figures[name] for figures in measured]) for name in NAMES}
        table(words, told[case])
    ratios = [ratio(told, *goal) for goal in GOALS if goal[3] in told]
    return {"machine": before, "cases": told, "ratios": ratios}


def one_round(binary, clip, seconds, alone):
    """What each side took, in CPU seconds a minute: {side: {total, model, threads}}."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder, sides.Camera(clip, folder) as camera:
        more = sides.model(MODEL, folder) + MONITOR.format(cameras='["cam"]')
        if not alone:
            with contextlib.ExitStack() as running:
                processes = {name: running.enter_context(side(name, binary, camera.url, folder, more)) for name in NAMES}
                return watched(processes, seconds)
        for name in NAMES:
            with side(name, binary, camera.url, folder, more) as process:
                figures |= watched({name: process}, seconds)
    return figures


def watched(processes, seconds):
    for process in processes.values():
        if isinstance(process, sides.Stakeout):
            process.wait_online()
    time.sleep(SETTLE_S)
    began = {name: since(process) for name, process in processes.items()}
    time.sleep(seconds)
    return {name: took(process, *began[name]) for name, process in processes.items()}


def since(process):
    """What `took` is to begin with."""
    return time.monotonic(), process.cpu_s(), by_name(process)


def took(process, began, total, threads):
    total, now, passed = process.cpu_s() - total, by_name(process), time.monotonic() - began
    each = {thread: (spent - threads.get(thread, 0)) * 60 / passed for thread, spent in now.items()}
    model = sum(spent for thread, spent in each.items() if thread.startswith("model-"))
    return {"total": total * 60 / passed - model, "model": model, "threads": each, "rss_mb": process.memory_mb()["VmRSS"]}


def by_name(process):
    """CPU seconds by the threads' names, less the numbers in them."""
    spent = collections.Counter()
    for name, seconds in process.threads():
        spent[re.sub(r"[-:_]?\d+(:\w*)?$", "", name)] += seconds
    return spent


def summary(rounds):
    median = lambda pick: round(statistics.median(pick(figures) for figures in rounds), 3)
    names = {name for figures in rounds for name in figures["threads"]}
    threads = {name: median(lambda figures: figures["threads"].get(name, 0)) for name in names}
    busiest = sorted(threads.items(), key=lambda thread: -thread[1])
    return {
        "cpu_s_per_minute": median(lambda figures: figures["total"]), "model_s_per_minute": median(lambda figures: figures["model"]),
        "rss_mb": median(lambda figures: figures["rss_mb"]), "each": [round(figures["total"], 3) for figures in rounds],
        "threads": {name: spent for name, spent in busiest if spent >= 0.005},
    }


def table(words, figures):
    say(f"\n{words:<40}{'CPU s/min':>10}{'a core':>9}{'/ffmpeg':>9}{'/all':>7}{'/motion':>9}{'model s/min':>13}{'RSS MB':>8}")
    base = {name: figures[name]["cpu_s_per_minute"] or 1 for name in ("ffmpeg-1", "all", "motion")}
    for name, figure in figures.items():
        spent = figure["cpu_s_per_minute"]
        say(f"{NAMES[name]:<40}{spent:>10.2f}{spent / 60:>9.1%}{spent / base['ffmpeg-1']:>9.2f}{spent / base['all']:>7.2f}"
            f"{spent / base['motion']:>9.2f}{figure['model_s_per_minute']:>13.2f}{figure['rss_mb']:>8.0f}")
    for name in ("auto", "fixed"):
        say(f"  {name} by thread: " + ", ".join(f"{thread} {spent:.2f}" for thread, spent in figures[name]["threads"].items()))


def ratio(told, what, one, other, case, goal):
    """The median of the rounds' own ratios, beside its goal."""
    pairs = zip(told[case][one]["each"], told[case][other]["each"])
    each = [mine / theirs for mine, theirs in pairs]
    value = statistics.median(each)
    say(f"cameras cpu: {what:<32} {value:.2f} ({min(each):.2f} to {max(each):.2f}); goal: at most {goal}")
    return {"what": what, "ratio": round(value, 3), "min": round(min(each), 3), "max": round(max(each), 3), "goal": goal}

"""`scripts/bench cameras many`: a box full of cameras while nothing happens."""
import json
import tempfile
import time

from bench_pinned import say

from . import clips, cost, sides
from .machine import machine, named

SETTLE_S = 30
GOALS = {"cores": 0.4, "memory_mb_per_camera": 20}
# Often enough that each camera is checked while it is watched.
RECHECK = 'recheck = "10s"'


def many(binary, count, seconds):
    """`count` cameras in `auto` beside one, all of one server: their keyframes coincide, which is the worst case."""
    before, clip = machine(), clips.street(2)
    with tempfile.TemporaryDirectory() as folder, sides.Camera(clip, folder) as camera:
        model = sides.model(cost.MODEL, folder)
        one, all_of_them = watched(binary, folder, camera, model, 1, seconds), watched(binary, folder, camera, model, count, seconds)
    extra = max(1, count - 1)
    memory = {field: round((all_of_them["memory_mb"][field] - one["memory_mb"][field]) / extra, 1) for field in one["memory_mb"]}
    figures = {
        "machine": before, "cameras": count, "goals": GOALS, "one": one, "all": all_of_them, "memory_mb_per_camera": memory,
        "threads_per_camera": round((all_of_them["threads"] - one["threads"]) / extra, 2),
    }
    report(figures)
    return figures


def watched(binary, folder, camera, model, count, seconds):
    """A daemon with that many cameras while nothing happens."""
    names = [f"cam{number:02}" for number in range(count)]
    more = model + cost.MONITOR.format(cameras=json.dumps(names)) + RECHECK
    with sides.Stakeout(binary, folder, {name: (camera.url, "auto") for name in names}, more, f"stakeout-{count}") as daemon:
        daemon.wait_online()
        time.sleep(SETTLE_S)
        before, sent, began = daemon.status(), camera.sent(), cost.since(daemon)
        time.sleep(seconds)
        spent, sent, after = cost.took(daemon, *began), camera.sent() - sent, daemon.status()
        seen = difference(before, after, "cameras", "packets", "frames_decoded")
        checks = difference(before, after, "monitors", "checks")
        return {
            "cores": round(spent["total"] / 60, 3), "model_cores": round(spent["model"] / 60, 3), "sent": sent,
            "seen_least": min(seen), "seen_most": max(seen),
            "checks_least": min(checks), "checks_most": max(checks), "threads": len(daemon.threads()),
            "modes": sorted({camera["decode"] for camera in after["cameras"]}),
            "reconnects": sum(camera["reconnects"] for camera in after["cameras"]),
            "memory_mb": {field: round(value, 1) for field, value in daemon.memory_mb().items()},
        }


def difference(before, after, what, *fields):
    """By how much the first of the fields that there is has grown, for each camera or monitor."""
    field = next(field for field in fields if field in after[what][0])
    return [now[field] - then[field] for then, now in zip(before[what], after[what])]


def report(figures):
    one, all_of_them, count = figures["one"], figures["all"], figures["cameras"]
    memory = figures["memory_mb_per_camera"]
    say(f"cameras many: {count} cameras in auto, 1080p, {clips.FPS} fps, GOP 2 s, keyframes coincide; {named(figures['machine'])}")
    say(f"  cores used while quiet    {all_of_them['cores']:.3f}, with one camera {one['cores']:.3f}; goal: under {GOALS['cores']} (models apart: "
        f"{all_of_them['model_cores']:.3f})")
    say(f"  packets a camera          {all_of_them['seen_least']} to {all_of_them['seen_most']} seen of {all_of_them['sent']} sent; "
        f"goal: all (some are on their way at either end)")
    say(f"  checks a camera           {all_of_them['checks_least']} to {all_of_them['checks_most']}; goal: more than 0")
    say(f"  threads                   {all_of_them['threads']}, {figures['threads_per_camera']} for each camera more")
    say(f"  memory                    {all_of_them['memory_mb']['VmRSS']:.0f} MB, {memory['VmRSS']} MB for each camera more "
        f"({memory['RssAnon']} anonymous); goal: under {GOALS['memory_mb_per_camera']}")
    say(f"  decoding                  {', '.join(all_of_them['modes'])}; {all_of_them['reconnects']} reconnects")

"""`scripts/bench soak`: four cameras and a daemon, and whatever can go wrong between them, for as long as asked.

Each fault strikes a camera at random, lasts for some seconds, and is over; then the camera must come back by itself. What is
measured: recovery times by fault, and whether memory and descriptors stay where they were after the warm-up. The run fails
when a camera stays away.
"""
import collections
import itertools
import random
import statistics
import tempfile
import time

from bench_faults import COMES_BACK_S, FAULTS, Site, Watched, make_clips
from bench_pinned import say

CAMERAS = 4

def reading(daemon):
    """Resident memory in MB, descriptors and threads, when all is quiet. Of memory the least of some seconds."""
    sizes = []
    for _ in range(20):
        time.sleep(0.5)
        sizes.append(daemon.memory_mb("VmRSS"))
    return {"rss_mb": round(min(sizes), 1), "descriptors": daemon.descriptors(), "threads": daemon.threads()}


def soak(binary, library, minutes, seed):
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(folder)
        sites = [Site(f"cam-{number}", *clips) for number in range(CAMERAS)]
        daemon = Watched(binary, folder, sites, library)
        names = [site.name for site in sites]
        recovery, stayed_away, readings = collections.defaultdict(list), [], []
        try:
            if daemon.until_flowing(names, 120) is None:
                raise SystemExit(f"bench: the cameras never came up\n{daemon.log.read_text()[-4000:]}")
            # Each fault once on each camera: what a first time costs (plugins, buffers, the allocator's arenas) is no leak.
            for fault, site in itertools.product(FAULTS, sites):
                strike(daemon, site, fault, dice, recovery, stayed_away)
            readings.append(reading(daemon))
            say(f"soak: after the warm-up {readings[0]}")
            recovery.clear()
            until, told = time.time() + minutes * 60, time.time()
            while time.time() < until:
                strike(daemon, dice.choice(sites), dice.choice(list(FAULTS)), dice, recovery, stayed_away)
                if time.time() - told > 120:
                    told = time.time()
                    readings.append(reading(daemon))
                    say(f"soak: {sum(map(len, recovery.values()))} faults, {readings[-1]}, stayed away: {stayed_away}")
            if daemon.until_flowing(names, COMES_BACK_S) is None:
                stayed_away.append(f"at the end: {daemon.cameras()}")
            if stayed_away:
                say(daemon.log.read_text())
            readings.append(reading(daemon))
            alive = daemon.process.poll() is None
        finally:
            daemon.stop()
            for site in sites:
                site.stop()
        return figures(minutes, seed, recovery, stayed_away, readings, alive)


def strike(daemon, site, fault, dice, recovery, stayed_away):
    """One fault from its start to the camera's return."""
    before = daemon.cameras().get(site.name, {}).get("reconnects", 0)
    begin, end = FAULTS[fault]
    begin(site)
    if end:
        time.sleep(dice.uniform(1, 15))
        end(site)
    back = daemon.until_flowing([site.name], COMES_BACK_S)
    if back is None:
        stayed_away.append(f"{fault}: {daemon.cameras().get(site.name)}")
        # So that what follows is measured as if it had come back.
        site.restart(site.clip)
        daemon.until_flowing([site.name], 120)
        return
    reconnected = daemon.cameras()[site.name]["reconnects"] > before
    recovery[fault].append((back, reconnected))


def figures(minutes, seed, recovery, stayed_away, readings, alive):
    first, last = readings[0], readings[-1]
    table = {
        fault: {
            "times": len(times),
            "back_s_median": round(statistics.median(back for back, _ in times), 1),
            "back_s_max": round(max(back for back, _ in times), 1),
            "reconnected": sum(reconnected for _, reconnected in times),
        }
        for fault, times in sorted(recovery.items())
    }
    growth = last["rss_mb"] / first["rss_mb"] - 1
    return {
        "minutes": minutes,
        "seed": seed,
        "faults": sum(map(len, recovery.values())),
        "stayed_away": stayed_away,
        "daemon_alive": alive,
        "rss_mb_after_warm_up": first["rss_mb"],
        "rss_mb_end": last["rss_mb"],
        "rss_growth": round(growth, 4),
        "goal_rss_growth": 0.05,
        "descriptors_after_warm_up": first["descriptors"],
        "descriptors_end": last["descriptors"],
        "threads_after_warm_up": first["threads"],
        "threads_end": last["threads"],
        "rss_mb_over_time": [one["rss_mb"] for one in readings],
        "recovery": table,
    }

"""The clips that `scripts/bench cameras` serves and rehearses: ffmpeg makes each once, from real pictures and fixed seeds.

They lie in `.setup/bench-cameras`, each beside a file that says what is in it, under a name that holds a hash of how it was
made: a changed recipe makes a new clip.
"""
import dataclasses
import hashlib
import json
import os
import random
import shutil
import subprocess

from bench_pinned import ROOT, SHARED, die, say

FOLDER = ROOT / ".setup/bench-cameras"
STREET = SHARED / "images/misc/jetson_peds_0.jpg"
YARD = ROOT / "tests/data/yard.mp4"
FULL_HD, FPS = (1920, 1080), 15
# What a camera's sensor adds, as ffmpeg's `noise` counts it: a standard deviation of some 2.5, 5 and 8 levels.
SENSOR_NOISE = 6


@dataclasses.dataclass(frozen=True)
class Encoder:
    """How a camera encodes: `rate` is "3M" for a constant bit rate, or "crf25" for a constant quality."""

    gop: int
    rate: str = "3M"

    def arguments(self):
        if self.rate.startswith("crf"):
            rate = ["-crf", self.rate[3:]]
        else:
            rate = ["-b:v", self.rate, "-maxrate", self.rate, "-bufsize", self.rate, "-x264-params", "nal-hrd=cbr"]
        return ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-bf", "0", "-threads", "2",
                "-g", str(self.gop), "-keyint_min", str(self.gop), "-sc_threshold", "0", "-pix_fmt", "yuv420p", *rate]


@dataclasses.dataclass(frozen=True)
class Clip:
    """A file with H.264, and what is to be known about it."""

    path: object
    facts: dict


def ffmpeg():
    """ffmpeg's path; installs Debian's where there is none."""
    return program("ffmpeg")


def program(name):
    found = shutil.which(name)
    if not found:
        say(f"bench: installing {name}")
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", name], check=True, stdout=2, env=quiet)
        found = shutil.which(name) or die(f"`{name}` is missing, and apt could not install it; install it by hand")
    return found


def made(name, arguments, facts, suffix="mp4"):
    """The clip that `ffmpeg ARGUMENTS file` makes; made now if it isn't there."""
    digest = hashlib.sha256(json.dumps([list(map(str, arguments)), facts]).encode()).hexdigest()[:12]
    path = FOLDER / f"{name}-{digest}.{suffix}"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.{suffix}")
        try:
            render(partial, arguments)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    path.with_suffix(".json").write_text(json.dumps(facts))
    return Clip(path, facts)


def render(path, arguments):
    """What `ffmpeg ARGUMENTS path` makes."""
    subprocess.run([ffmpeg(), "-nostdin", "-v", "error", "-y", *map(str, arguments), "-an", "-bitexact", str(path)], check=True)


def noise(strength, seed=7):
    """A filter: fresh sensor noise in every picture, the same at every run."""
    return f"noise=all_seed={seed}:alls={strength}:allf=t" if strength else "null"


def street(gop_s, seconds=60, event_s=0, strength=SENSOR_NOISE, rate="3M"):
    """A real street with sensor noise; in its middle, for `event_s`, one of its pedestrians walks through once more."""
    STREET.exists() or die(f"`{STREET}` is missing; put the shared data beside the repository")
    width, height = FULL_HD
    start = seconds / 2
    walker = (f"[picture]split[whole][copy];[copy]crop=240:740:1480:150[walker];[whole][walker]overlay=x='(t-{start})/{event_s or 1}"
              f"*{width}-120':y=220:enable='between(t,{start},{start + event_s})'[picture]")
    steps = [f"[0:v]scale={width}:{height},format=yuv420p[picture]", *([walker] if event_s else []), f"[picture]{noise(strength)}"]
    arguments = ["-loop", "1", "-framerate", FPS, "-t", seconds, "-i", STREET, "-filter_complex", ";".join(steps),
                 *Encoder(round(gop_s * FPS), rate).arguments()]
    facts = {"fps": FPS, "frames": seconds * FPS, "gop_s": gop_s, "event_s": event_s}
    return made(f"street-gop{gop_s:g}-event{event_s:g}", arguments, facts)


def appearances(count, every_s, seed, gop_s=2, stay_s=3):
    """The yard in full HD, empty; somebody stands in it all at once, `count` times at random moments, for `stay_s` each."""
    dice, width, height = random.Random(seed), *FULL_HD
    gaps = [round(dice.uniform(every_s - gop_s / 2, every_s + gop_s / 2) * FPS) for _ in range(count)]
    marks = [sum(gaps[:number + 1]) for number in range(count)]
    frames = marks[-1] + round(every_s * FPS)
    there = "+".join(f"between(n,{mark},{mark + stay_s * FPS - 1})" for mark in marks)
    still = f"loop=loop=-1:size=1,setpts=N/{FPS}/TB,scale={width}:{height},format=yuv420p"
    steps = [f"[0:v]select='eq(n,15)',{still}[empty]", f"[0:v]select='eq(n,150)',{still}[somebody]",
             f"[empty][somebody]overlay=enable='{there}',{noise(SENSOR_NOISE, seed)},trim=end_frame={frames}"]
    arguments = ["-i", YARD, "-filter_complex", ";".join(steps), "-r", FPS, *Encoder(round(gop_s * FPS)).arguments()]
    facts = {"fps": FPS, "frames": frames, "gop_s": gop_s, "marks": marks, "stay_s": stay_s}
    return made(f"yard-{seed}", arguments, facts)

"""Makes the demo's clip `tests/data/yard.mp4` and its truth `tests/data/yard.json`.

    python scripts/yard/make_clip.py

Forty seconds in the yard, 640x360, 15 frames a second: somebody walks into the zone of yellow tape and stands there, a
van drives through, somebody passes by outside the tape, somebody else takes a second turn in the zone. It begins and
ends with the empty yard, so that it can be looped. H.264 without B-frames, a keyframe at least every two seconds.

Needs numpy, pillow, and gst-launch-1.0 with x264enc and mp4mux.
"""

import argparse
import itertools
import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

from render import render
from scenes import ASPECT, LABELS, Actor, Clutter, Ground, Light, Scene, Zone, person_height, truth

WIDTH, HEIGHT, FRAMES_PER_SECOND, SECONDS = 640, 360, 15, 40
BITRATE_KBIT = 260
NOISE_PATTERNS = 4  # the sensor's noise repeats, which the encoder likes
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "tests" / "data"

YARD = Scene(
    seed=2,
    ground=Ground("concrete", (168, 166, 160), (142, 140, 134), 3.0, 0.16, (152, 98, 78), 11),
    clutter=(
        Clutter("crate", (0.90, 0.42), 0.13, (152, 112, 66), 0.0),
        Clutter("barrel", (0.82, 0.40), 0.12, (60, 92, 150), 0.0),
        Clutter("bush", (0.045, 0.36), 0.14, (58, 98, 48), 0.0),
        Clutter("puddle", (0.20, 0.60), 0.07, (118, 130, 140), 0.0),
        Clutter("cone", (0.93, 0.64), 0.11, (236, 106, 26), 0.0),
    ),
    zones=(Zone("yellow", ((0.385, 0.49), (0.715, 0.485), (0.765, 0.815), (0.345, 0.82)), (238, 206, 32), 0.02, 0.05),),
    actors=(),
    light=Light(1.12, (1.0, 0.995, 0.98), 0.0, 1.5, 0.18),
)

ORANGE = Actor("person", (0, 0), 0, ((205, 155, 115), (235, 190, 20), (240, 110, 30), (45, 55, 85)))
TEAL = Actor("person", (0, 0), 0, ((238, 200, 170), (90, 60, 35), (40, 150, 150), (60, 55, 50)))
CRIMSON = Actor("person", (0, 0), 0, ((105, 70, 50), (35, 28, 24), (170, 40, 60), (40, 40, 42)))
VAN = Actor("vehicle", (0, 0), 0, ((225, 225, 222),), shape="van")

# Each visit: the actor and its way points (second, x, y); between two of them it moves evenly, or stands.
VISITS = (
    (ORANGE, ((4.0, -0.06, 0.70), (8.5, 0.52, 0.66), (13.5, 0.52, 0.66), (17.5, 1.06, 0.72))),
    (VAN, ((18.5, 1.24, 0.43), (22.5, -0.24, 0.43))),
    (TEAL, ((23.0, -0.06, 0.93), (29.5, 1.06, 0.94))),
    (CRIMSON, ((29.5, 1.06, 0.56), (32.3, 0.62, 0.62), (34.3, 0.62, 0.62), (38.0, -0.06, 0.60))),
)
STEPS_PER_HEIGHT = 4.2  # radians of the walk's phase for every body height walked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="folder for yard.mp4 and yard.json")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [scene_at(frame / FRAMES_PER_SECOND) for frame in range(SECONDS * FRAMES_PER_SECOND)]
    encode(scenes, folder / "yard.mp4")
    entries = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in timeline(scenes).items())
    (folder / "yard.json").write_text("{\n" + ",\n".join(entries) + "\n}\n")
    print((folder / "yard.mp4").stat().st_size, "bytes")


def scene_at(second: float) -> Scene:
    """The yard at this moment of the clip."""
    actors = (actor_at(actor, way, second) for actor, way in VISITS)
    return replace(YARD, actors=tuple(actor for actor in actors if actor))


def actor_at(actor: Actor, way: tuple, second: float) -> Actor | None:
    """The actor on its way, or None before its first and after its last way point."""
    walked = 0.0
    for (begin, ax, ay), (end, bx, by) in itertools.pairwise(way):
        distance = math.hypot((bx - ax) * ASPECT, by - ay)
        if begin <= second < end:
            part = (second - begin) / (end - begin)
            foot = ax + (bx - ax) * part, ay + (by - ay) * part
            height = person_height(foot[1]) * (1.1 if actor.kind == "vehicle" else 1.0)
            stride = None
            if distance and actor.kind == "person":
                stride = (walked + distance * part) / height * STEPS_PER_HEIGHT
            facing = actor.facing if bx == ax else int(math.copysign(1, bx - ax))
            return replace(actor, foot=foot, height=height, facing=facing, stride=stride)
        walked += distance
    return None


def encode(scenes: list[Scene], path: Path) -> None:
    """Pipes the drawn frames through x264 into an MP4 whose index comes first."""
    launch = (
        f"gst-launch-1.0 -q fdsrc fd=0 ! rawvideoparse format=rgb "
        f"width={WIDTH} height={HEIGHT} framerate={FRAMES_PER_SECOND}/1 "
        f"! videoconvert ! video/x-raw,format=I420,colorimetry=bt709 "
        f"! x264enc bitrate={BITRATE_KBIT} bframes=0 key-int-max=30 speed-preset=veryslow tune=0 threads=1 "
        f"! video/x-h264,profile=main ! h264parse ! mp4mux faststart=true ! filesink location={path}"
    )
    with subprocess.Popen(launch.split(), stdin=subprocess.PIPE) as encoder:
        for number, scene in enumerate(scenes):
            frame = render(scene, WIDTH, HEIGHT, noise_seed=number % NOISE_PATTERNS)
            encoder.stdin.write(frame.tobytes())
        encoder.stdin.close()
    if encoder.returncode:
        raise SystemExit(f"gst-launch-1.0 failed with status {encoder.returncode}")


def timeline(scenes: list[Scene]) -> dict:
    """The truth as intervals [start, end) in seconds, by label."""
    truths = [truth(scene).labels() for scene in scenes]
    return {
        "clip": "yard.mp4",
        "made_by": "scripts/yard/make_clip.py",
        "width": WIDTH,
        "height": HEIGHT,
        "frames_per_second": FRAMES_PER_SECOND,
        "seconds": SECONDS,
        "zones": [{"colour": zone.colour, "polygon": zone.polygon} for zone in YARD.zones],
        "rule": "an actor counts while its foot point is inside the picture; intervals are [start, end) in seconds",
        "truth": {label: intervals([labels[column] for labels in truths]) for column, label in enumerate(LABELS)},
    }


def intervals(flags: list[bool]) -> list[list[float]]:
    """Runs of true frames as [start, end) in seconds."""
    found, start = [], None
    for number, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = number
        elif not flag and start is not None:
            found.append([round(start / FRAMES_PER_SECOND, 3), round(number / FRAMES_PER_SECOND, 3)])
            start = None
    return found


if __name__ == "__main__":
    main()

"""Real footage with its empty stretches drawn out: each is played forth and back for as long as asked, without a seam.

The truth is of the shared data's `timeline.json`; its edges are good to some 0.3 s.
"""
import dataclasses
import json
import math

from bench_pinned import SHARED, die

from . import clips

VIDEOS = SHARED / "videos"
EDGE_S = 0.4


@dataclasses.dataclass(frozen=True)
class Source:
    """A clip whose scene is empty at times."""

    file: str
    visits: str
    fps: float


SOURCES = {
    "room": Source("one-by-one-person-detection.mp4", "person_any_part_visible", 10),
    "cars": Source("car-detection.mp4", "car_visible", 12.5),
}


@dataclasses.dataclass(frozen=True)
class Footage:
    """Pieces to be played one after the other, and when there is something to see, in seconds: [[from, to], …]."""

    playlist: object
    fps: float
    seconds: float
    visits: list

    def input(self):
        """As ffmpeg reads it."""
        return ["-f", "concat", "-safe", "0", "-i", self.playlist]


def drawn_out(name, quiet_s):
    """All visits of a source, each after at least `quiet_s` of nothing."""
    source, visits = read(name)
    frame = lambda second: round(second * source.fps)
    pieces, truth, now, ended = [], [], 0, 0.0
    for began, until in visits:
        first, last = frame(ended + (EDGE_S if ended else 0)), frame(began - EDGE_S)
        passes = 2 * math.ceil((quiet_s * source.fps / (last - first) - 1) / 2) + 1
        for number in range(passes):
            pieces.append(piece(name, first, last, number % 2 == 1))
        now += passes * (last - first)
        following = frame(until + EDGE_S)
        pieces.append(piece(name, last, following, False))
        truth.append([(now + frame(began) - last) / source.fps, (now + frame(until) - last) / source.fps])
        now += following - last
        ended = until
    return Footage(playlist(f"{name}-{quiet_s}", pieces), source.fps, now / source.fps, truth)


def nothing(name, seconds):
    """The first empty stretch of a source, for so long."""
    source, visits = read(name)
    last = round((visits[0][0] - EDGE_S) * source.fps)
    passes = math.ceil(seconds * source.fps / last)
    pieces = [piece(name, 0, last, number % 2 == 1) for number in range(passes)]
    return Footage(playlist(f"{name}-nothing-{seconds}", pieces), source.fps, passes * last / source.fps, [])


def read(name):
    source, timeline = SOURCES[name], VIDEOS / "timeline.json"
    timeline.exists() or die(f"`{timeline}` is missing; put the shared data beside the repository")
    return source, json.loads(timeline.read_text())[source.file][source.visits]


def piece(name, first, last, backwards):
    """Frames [first, last) of a source, lossless, so that pieces can follow each other in any order."""
    source = SOURCES[name]
    steps = f"select='between(n,{first},{last - 1})',setpts=N/{source.fps}/TB" + (",reverse" if backwards else "")
    arguments = ["-i", VIDEOS / source.file, "-vf", steps, "-r", source.fps, "-c:v", "libx264", "-preset", "ultrafast", "-qp", 0,
                 "-g", 1, "-threads", 1]
    return clips.made(f"piece-{name}-{first}-{last}{'-back' if backwards else ''}", arguments, {}).path


def playlist(name, pieces):
    path = clips.FOLDER / f"{name}.ffconcat"
    path.write_text("ffconcat version 1.0\n" + "".join(f"file {piece.name}\n" for piece in pieces))
    return path

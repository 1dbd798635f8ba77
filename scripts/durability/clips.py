"""What clips must be while no daemon runs: rows beside files, files up to their last whole fragment.

`interrupted` holds at any moment, also right after a kill or a power cut; `settled` after the next start, too. Reads only.
"""
import collections
import contextlib
import hashlib
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field

FOLDER = "clips"
# Short enough for many in a minute, and with the yard's GOP of 2 s for several fragments in each.
CLIP = '{ before = "1s", after = "1s", max = "6s" }'

_ROWS = """
SELECT clip.id, state, file, bytes, sha256, EXISTS (
    SELECT 1 FROM clip_event JOIN event ON seq = event WHERE clip = clip.n AND type = 'clip.' || state
) FROM clip
"""


@dataclass(frozen=True)
class Row:
    state: str
    file: int
    bytes: int
    sha256: str | None
    # An event says so that was committed with it.
    told: int


@dataclass
class Clips:
    """How many looks there were at rows and files, and what was wrong; everything but the counts must be empty."""

    rows: int = 0
    ready: int = 0
    failed: int = 0
    wrong: collections.Counter = field(default_factory=collections.Counter)
    details: list = field(default_factory=list)

    def note(self, kind, words):
        self.wrong[kind] += 1
        if len(self.details) < 5:
            self.details.append(f"clips, {kind}: {words}")

    def add(self, other):
        for kind in ("rows", "ready", "failed", "wrong", "details"):
            setattr(self, kind, getattr(self, kind) + getattr(other, kind))

    def is_clean(self):
        return not self.wrong

    def figures(self):
        return {"rows": self.rows, "ready": self.ready, "failed": self.failed, "wrong": dict(self.wrong)}


def rows(database):
    """By id: Row. Of a database without clips: none."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'clip'").fetchone():
        return {}
    return {str(uuid.UUID(bytes=clip)): Row(*rest) for clip, *rest in database.execute(_ROWS)}


def rows_of_a_copy(state):
    """The same of a daemon that was killed: looking at its own files would recover them in its place."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("journal.db", "journal.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(state / name, folder)
        if not (file := pathlib.Path(folder, "journal.db")).exists():
            return {}
        with contextlib.closing(sqlite3.connect(file)) as database:
            return rows(database)


def rows_of_a_daemon(state):
    """The same of one that runs."""
    with contextlib.closing(sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)) as database:
        return rows(database)


def walk(content):
    """Where the init segment and each whole fragment end; empty: not even the first does."""
    ends, at, kinds = [], 0, []
    while at + 8 <= len(content):
        size, kind = int.from_bytes(content[at:at + 4], "big"), content[at + 4:at + 8]
        if size < 8 or at + size > len(content) or kind not in (b"ftyp", b"moov", b"moof", b"mdat"):
            break
        at += size
        kinds.append(kind)
        if kinds in ([b"ftyp", b"moov"], [b"moof", b"mdat"]):
            ends.append(at)
            kinds = []
    return ends


def interrupted(state, known, found, where):
    """At any moment: who names a file has one, and as much of it as is said; what is ready is whole; no file without a row."""
    found.rows += len(known)
    for clip, row in known.items():
        if row.file:
            _look(_path(state, clip), row, found, f"{where}: {clip}, {row.state}")
        elif row.state == "ready":
            found.note("missing", f"{where}: {clip} is ready, without a file")
    for file in _files(state) - known.keys():
        found.note("orphans", f"{where}: {file}")


def _look(path, row, found, where):
    if not path.exists():
        return found.note("missing", where)
    content = path.read_bytes()
    ends = walk(content)
    if not ends or row.bytes > ends[-1]:
        found.note("torn", f"{where}: {row.bytes} bytes are said to be whole, of {len(content)} {ends[-1:]} are")
    if row.state == "ready" and (len(content), _sha256(content)) != (row.bytes, row.sha256):
        found.note("altered", f"{where}: {len(content)} bytes, not the {row.bytes} that were hashed")


def whole(state, known):
    """What of each unfinished clip must be there after the next start, byte by byte: id to bytes and SHA-256."""
    promised = {}
    for clip, row in known.items():
        if row.state == "recording" and (path := _path(state, clip)).exists():
            content = path.read_bytes()
            if len(ends := walk(content)) > 1:
                promised[clip] = (ends[-1], _sha256(content[:ends[-1]]))
    return promised


def settled(state, known, found, where, plays=lambda _sha256, _path: ""):
    """After a start that had time, and an orderly stop: nothing is unfinished, files and rows are the same set, each plays."""
    interrupted(state, known, found, where)
    for clip, row in known.items():
        found.ready += row.state == "ready"
        found.failed += row.state == "failed"
        if row.state == "recording":
            found.note("unsettled", f"{where}: {clip}")
        elif row.state in ("ready", "failed") and not row.told:
            found.note("untold", f"{where}: {clip}, {row.state}")
        if row.state == "ready" and (path := _path(state, clip)).exists():
            ends = walk(content := path.read_bytes())
            if len(ends) < 2 or ends[-1] != len(content):
                found.note("torn", f"{where}: {clip} is ready, and {len(content)} bytes long; whole are {ends}")
            if complaint := plays(row.sha256, path):
                found.note("unplayable", f"{where}: {clip}: {complaint[:300]}")
    for clip in _files(state) - {clip for clip, row in known.items() if row.file}:
        found.note("orphans", f"{where}: {clip} was not swept")


def kept(known, promised, found, where):
    """What was whole when the daemon was killed is what the clip is now."""
    for clip, (size, sha256) in promised.items():
        row = known.get(clip)
        if row is None or row.state != "ready" or (row.bytes, row.sha256) != (size, sha256):
            found.note("cut", f"{where}: {clip} had {size} whole bytes and is {row}")


def begin_as(state, written, found, where):
    """Each file is the beginning of what was written to it, whatever else the disk had kept."""
    for clip in _files(state):
        content = _path(state, clip).read_bytes()
        if not written.get(f"{FOLDER}/{clip}.mp4", b"").startswith(content):
            found.note("holes", f"{where}: {clip} holds what was never written")


class Player:
    """ffmpeg decoding all of a clip; of the same bytes once."""

    def __init__(self):
        self.said = {}

    def __call__(self, sha256, path):
        """What it warns of."""
        if sha256 not in self.said:
            # The file's own clock: pictures of a busy camera don't come at a regular pace, and rounded to a frame rate that
            # ffmpeg guesses, two of them would become one.
            command = ["ffmpeg", "-nostdin", "-v", "warning", "-threads", "1", "-i", str(path), "-enc_time_base", "-1",
                       "-f", "null", "-"]
            ended = subprocess.run(command, capture_output=True, text=True)
            self.said[sha256] = ended.stderr or ("" if ended.returncode == 0 else f"ended with {ended.returncode}")
        return self.said[sha256]


def _path(state, clip):
    return pathlib.Path(state, FOLDER, f"{clip}.mp4")


def _files(state):
    folder = pathlib.Path(state, FOLDER)
    return {file.name.removesuffix(".mp4") for file in folder.iterdir()} if folder.is_dir() else set()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()

"""A receiver of Stakeout's clips (the format `upload`): verifies each piece, keeps it, and says how much it has. See README.md.

    STAKEOUT_SECRET_FILE=clips.secret uvicorn clips:app --host 0.0.0.0 --port 8080
"""

import base64
import fcntl
import hashlib
import json
import logging
import os
import re
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from inbox import Inbox
from receiver import MAX_BODY, secrets
from signature import is_standard

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# A piece, or the question how much is here; and how long the whole is.
RANGE = re.compile(r"bytes ((?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}))")
# What nobody has gone on with for so long will never be whole.
ABANDONED_S = 7 * 86400

log = logging.getLogger("uvicorn.error")


def work(clip: str, alert: str, file: Path) -> None:
    """Replace this by what shall happen with a clip of that alert (its `event_id`); move the file or leave it. An exception means: try
    again later.
    """
    print(json.dumps({"clip": clip, "alert": alert, "file": str(file)}), flush=True)


class Shelf:
    """Clips as files of a folder; one that isn't whole ends in `.part`. The inbox knows which were whole, and are to be worked on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.inbox = folder, Inbox(str(folder / "inbox.sqlite"))
        for left in [*folder.glob("*.part"), *folder.glob("*.lock")]:
            if left.stat().st_mtime < time.time() - ABANDONED_S:
                left.unlink()

    def put(self, clip: str, alert: str, start: int | None, piece: bytes, whole: int, sha256: str) -> Response:
        """Keeps a piece (None: nothing, somebody asks), and says how much is here."""
        part = self.folder / f"{clip}.part"
        with self.alone(clip):
            if self.inbox.knows(clip):
                return told(200, whole)
            has = part.stat().st_size if part.exists() else 0
            if start is not None and start > has:
                return told(416, has)
            # What is here already needs no second time: whether it is right shows at the end.
            if start is not None and start + len(piece) > has:
                with open(part, "r+b" if has else "wb") as to:
                    to.seek(start)
                    to.write(piece)
                    to.flush()
                    os.fsync(to.fileno())
                has = start + len(piece)
            # Also where this process ended before it could finish.
            return told(308, has) if has < whole else self.finish(clip, alert, part, whole, sha256)

    def finish(self, clip: str, alert: str, part: Path, whole: int, sha256: str) -> Response:
        with open(part, "rb") as of:
            is_right = hashlib.file_digest(of, "sha256").hexdigest() == sha256
        if not is_right:
            log.error("%s: these bytes are not those of the clip: it has to come again", clip)
            part.unlink()
            return told(308, 0)
        part.rename(self.folder / f"{clip}.mp4")
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self.inbox.put(clip, alert.encode())
        return told(201, whole)

    @contextmanager
    def alone(self, clip: str):
        """Nobody else writes this clip meanwhile, not even another process."""
        with open(self.folder / f"{clip}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def work_off(self) -> None:
        while True:
            clip, alert = self.inbox.next()
            try:
                work(clip, alert.decode(), self.folder / f"{clip}.mp4")
            except Exception:
                log.exception("%s: not worked off, will be tried again", clip)
                self.inbox.failed(clip)
            else:
                self.inbox.done(clip)


def told(status: int, has: int) -> Response:
    """`Range: bytes=0-99`: the first hundred bytes are here. Where nothing is, there is none."""
    return Response(status_code=status, headers={"Range": f"bytes=0-{has - 1}"} if has else {})


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.secrets = secrets()
    app.state.shelf = Shelf(Path(os.environ.get("STAKEOUT_CLIPS", "clips")))
    threading.Thread(target=app.state.shelf.work_off, daemon=True).start()
    yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.put("/clips/{clip}.mp4")
async def receive(clip: str, request: Request) -> Response:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return Response(status_code=413)
    said = RANGE.fullmatch(request.headers.get("content-range", ""))
    digest = re.fullmatch("sha-256=:([A-Za-z0-9+/]{43}=):", request.headers.get("repr-digest", ""))
    if not said or not digest or not re.fullmatch(UUID, clip):
        return Response(status_code=400)
    span, first, last, whole = said.groups()
    sha256 = base64.b64decode(digest.group(1)).hex()
    # The id says which part of which clip was signed, and what the whole hashes to: none can be put in the place of another.
    is_meant = request.headers.get("webhook-id") == f"{clip}:{span}:{sha256}"
    if not is_meant or not any(is_standard(secret, request.headers, bytes(body)) for secret in app.state.secrets):
        return Response(status_code=401)
    start = None if first is None else int(first)
    if len(body) != (0 if start is None else int(last) + 1 - start) or (start is not None and int(last) >= int(whole)):
        return Response(status_code=400)
    alert = request.headers.get("x-stakeout-alert", "")
    return await run_in_threadpool(app.state.shelf.put, clip, alert, start, bytes(body), int(whole), sha256)

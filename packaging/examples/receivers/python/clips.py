"""A receiver of Stakeout's clips (the format `upload`): verifies each piece, keeps it, and says how much it has. See README.md.

    STAKEOUT_SECRET_FILE=ops.secret uvicorn clips:app --host 0.0.0.0 --port 8080
"""

import base64
import hashlib
import json
import os
import re
import threading
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from receiver import MAX_BODY, secrets
from signature import is_standard

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# A piece, or the question how much is here; and how long the whole is.
RANGE = re.compile(r"bytes ((?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}))")


def work(clip: str, file: Path) -> None:
    """Replace this by what shall happen with a clip that is here. It is called once; a kill may come before it."""
    print(json.dumps({"clip": clip, "file": str(file)}), flush=True)


class Shelf:
    """Clips as files of a folder; one that isn't whole ends in `.part`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = threading.Lock()

    def put(self, clip: str, start: int | None, piece: bytes, whole: int, sha256: bytes) -> Response:
        """Keeps a piece (None: nothing, somebody asks), and says how much is here."""
        part, file = self.folder / f"{clip}.part", self.folder / f"{clip}.mp4"
        with self.lock:
            if file.exists():
                return told(200, whole)
            has = part.stat().st_size if part.exists() else 0
            if start is None:
                return told(308, has)
            if start > has:
                return told(416, has)
            with open(part, "r+b" if part.exists() else "wb") as to:
                to.seek(start)
                to.truncate()
                to.write(piece)
                to.flush()
                os.fsync(to.fileno())
            has = start + len(piece)
            if has < whole:
                return told(308, has)
            with open(part, "rb") as of:
                right = hashlib.file_digest(of, "sha256").digest() == sha256
            if not right:
                part.unlink()
                return Response("these bytes are not those of the clip: send it from the beginning", status_code=422)
            part.rename(file)
            self.flush()
        work(clip, file)
        return told(201, whole)

    def flush(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def told(status: int, has: int) -> Response:
    """`Range: bytes=0-99`: the first hundred bytes are here. Where nothing is, there is none."""
    return Response(status_code=status, headers={"Range": f"bytes=0-{has - 1}"} if has else {})


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.secrets = secrets()
    app.state.shelf = Shelf(Path(os.environ.get("STAKEOUT_CLIPS", "clips")))
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
    if not said or not re.fullmatch(UUID, clip):
        return Response(status_code=400)
    span, first, last, whole = said.groups()
    # The id says which part of which clip was signed: none can be put in the place of another.
    is_meant = request.headers.get("webhook-id") == f"{clip}:{span}"
    if not is_meant or not any(is_standard(secret, request.headers, bytes(body)) for secret in app.state.secrets):
        return Response(status_code=401)
    start = None if first is None else int(first)
    if len(body) != (0 if start is None else int(last) + 1 - start) or (start is not None and int(last) >= int(whole)):
        return Response(status_code=400)
    digest = re.fullmatch("sha-256=:([A-Za-z0-9+/=]{44}):", request.headers.get("repr-digest", ""))
    if not digest:
        return Response(status_code=400)
    sha256 = base64.b64decode(digest.group(1))
    return await run_in_threadpool(app.state.shelf.put, clip, start, bytes(body), int(whole), sha256)

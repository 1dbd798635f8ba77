"""A receiver of Stakeout's webhooks: verifies, keeps, answers, and works afterwards. See README.md.

    STAKEOUT_SECRET_FILE=ops.secret uvicorn receiver:app --host 0.0.0.0 --port 8080
"""

import json
import logging
import os
import threading
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from inbox import Inbox
from signature import key, signed_id

# An endpoint's `max_body` is 256 KiB where it isn't changed.
MAX_BODY = 1024 * 1024

log = logging.getLogger("uvicorn.error")


def work(event_id: str, event: dict) -> None:
    """Replace this by what shall happen. An exception means: try again later."""
    data = event.get("data", event)
    told = {"id": event_id, "type": event.get("type"), "monitor": data.get("monitor"), "why": data.get("explanation")}
    print(json.dumps(told), flush=True)


def secrets() -> list[str]:
    """One a line of STAKEOUT_SECRET_FILE (two while the secret is being changed), or STAKEOUT_SECRET."""
    file = os.environ.get("STAKEOUT_SECRET_FILE")
    text = Path(file).read_text() if file else os.environ.get("STAKEOUT_SECRET", "")
    found = text.split()
    if not found:
        raise SystemExit("no secret; name its file as STAKEOUT_SECRET_FILE")
    for secret in found:
        key(secret)
    return found


def work_off(inbox: Inbox) -> None:
    while True:
        event_id, body = inbox.next()
        try:
            work(event_id, json.loads(body))
        except Exception:
            log.exception("%s: not worked off, will be tried again", event_id)
            inbox.failed(event_id)
        else:
            inbox.done(event_id)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.secrets = secrets()
    app.state.inbox = Inbox(os.environ.get("STAKEOUT_INBOX", "inbox.sqlite"))
    # What this process was at when it ended is done again at the next start.
    threading.Thread(target=work_off, args=[app.state.inbox], daemon=True).start()
    yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.post("/events")
async def receive(request: Request) -> Response:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return Response(status_code=413)
    event_id = signed_id(app.state.secrets, request.headers, bytes(body))
    if event_id is None:
        return Response(status_code=401)
    # The same answer for the first attempt and any later one: to Stakeout both mean that the event is here.
    await run_in_threadpool(app.state.inbox.put, event_id, bytes(body))
    return Response(status_code=204)

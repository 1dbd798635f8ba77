"""A receiver of Trio's stream API, written as its examples show it.

`request_id` with set-if-absent, the moment read by `datetime.fromisoformat`, the way chosen by the severity that the
subscription's metadata brings. A dict stands for Redis. Its account is what it prints; then the event is archived, and where
that fails, the answer is a 500 although the id is marked.
"""

import json
import os
from datetime import datetime

from fastapi import FastAPI, Request

ARCHIVE = os.environ["ARCHIVE"]

app = FastAPI()


class Redis:
    """What is used of it: SET key value NX EX seconds."""

    def __init__(self):
        self.kept = {}

    def set(self, key: str, value: str, nx: bool = False, ex: int | None = None):
        if nx and key in self.kept:
            return None
        self.kept[key] = (value, ex)
        return True


redis = Redis()


@app.post("/webhook")
async def on_event(request: Request):
    event = await request.json()
    if not redis.set(f"trio:{event['request_id']}", "1", nx=True, ex=86400):
        return {"status": "duplicate"}
    route(event)
    with open(ARCHIVE, "a", encoding="utf-8") as archive:
        archive.write(json.dumps(event) + "\n")
    return {"status": "ok"}


def route(event: dict):
    seen_at = datetime.fromisoformat(event["frame_ts"])
    severity = event["metadata"].get("severity", "low")
    way = "page" if severity in ("critical", "high") else "message"
    handled = {
        "way": way,
        "zone": event["metadata"].get("zone"),
        "id": event["request_id"],
        "stream": event["stream_id"],
        "subscription": event["subscription_id"],
        "question": event["question"],
        "confident": 0.0 < event["confidence"] <= 1.0,
        "seen_at_ms": round(seen_at.timestamp() * 1000),
    }
    print(json.dumps(handled), flush=True)

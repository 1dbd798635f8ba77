"""A receiver of AIOZ Stream's webhooks, written as its documentation describes them.

A medium is known by `media_id`; `type` says what happened to it and `status` where it stands. Its account is what it prints.
"""

import json
from datetime import datetime

from fastapi import FastAPI, Request

app = FastAPI()
media = {}

STATUS = {
    "file.received": "transcoding",
    "encoding.started": "transcoding",
    "partial.finished": "transcoding",
    "encoding.finished": "done",
    "encoding.failed": "fail",
}


@app.post("/webhook")
async def on_event(request: Request):
    event = await request.json()
    if event["type"] not in STATUS:
        return {"received": True}
    happened = media.setdefault(event["media_id"], [])
    happened.append(event["type"])
    handled = {
        "type": event["type"],
        "medium": event["media_id"],
        "kind": event["media_type"],
        "qualities": event["qualities"],
        "titled": bool(event["title"]),
        "as_it_should_be": event["status"] == STATUS[event["type"]],
        "owner": event["user_id"],
        "year": datetime.fromisoformat(event["emitted_at"].replace("Z", "+00:00")).year,
    }
    print(json.dumps(handled), flush=True)
    return {"received": True}

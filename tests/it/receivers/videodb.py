"""A receiver of VideoDB's alerts, written as its documentation describes them.

`event_id` names the rule, so an occurrence is known again by the pair of it and `timestamp`. Its account is what it prints.
"""

import json
from datetime import datetime

from fastapi import FastAPI, Request

app = FastAPI()
seen = set()


@app.post("/webhook")
async def on_alert(request: Request):
    alert = await request.json()
    occurrence = (alert["event_id"], alert["timestamp"])
    if occurrence in seen:
        return {"received": True}
    seen.add(occurrence)
    handled = {
        "rule": alert["event_id"],
        "label": alert["label"],
        "confident": 0.0 < alert["confidence"] <= 1.0,
        "year": datetime.fromisoformat(alert["timestamp"].replace("Z", "+00:00")).year,
        "lasts": alert["end_time"] - alert["start_time"] >= 0.0,
        "clip": [alert["stream_url"], alert["player_url"]],
    }
    print(json.dumps(handled), flush=True)
    return {"received": True}

"""Calls the client of packaging/examples/client once each: calls.py CLIENT_FOLDER ADDRESS [TOKEN] prints one JSON line per call."""

import json
import sys

folder, address, *token = sys.argv[1:]
sys.path.insert(0, folder)
from stakeout_client import Refused, Stakeout  # noqa: E402

box = Stakeout(address, *token)


def told(call, *arguments, **named):
    try:
        print(json.dumps(call(*arguments, **named)))
    except Refused as refused:
        print(json.dumps({"refused": refused.status, "error": refused.error, "hint": refused.hint}))


if not token:
    told(lambda: box.status()["device"])
    told(box.events, limit=1)
    told(box.get, "/v1/monitors/none")
    told(lambda: next(box.messages("status"))["data"]["device"])
    sys.exit()

told(box.connect, "rtsp://camera/1", label="dock")
told(box.subscribe, "dock/1", "A person?", "https://app/hook", confidence_threshold=0.8, metadata={"zone": "dock"})
told(box.subscribe, "dock", "A person?", "https://app/hook", labels=["person"])
told(box.streams)
told(box.disconnect, "dock/1")
told(box.subscriptions)
told(box.subscription, "s 1")
told(box.stats, "s1")
told(box.failed_events, "s1", limit=5)
told(box.unsubscribe, "s1")
told(box.create_alert, "event-1", callback_url="https://app/hook")
told(box.create_alert, "event-1", ws_connection_id="ws-1")
told(box.list_alerts)
told(box.enable_alert, "a1")
told(box.disable_alert, "a1")
told(box.delete_alert, "a1")
told(box.events, monitor="person", limit=2)
told(box.get, "/refused")
told(box.get, "/broken")

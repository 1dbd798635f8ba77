"""Alerts through the client of packaging/examples/client: alerts.py CLIENT_FOLDER ADDRESS WEBHOOK prints what comes of them as JSON lines."""

import json
import sys

folder, address, webhook = sys.argv[1:]
sys.path.insert(0, folder)
from stakeout_client import Refused, Stakeout  # noqa: E402

box = Stakeout(address)


def tell(**what):
    print(json.dumps(what), flush=True)


def heard(stream, count):
    alerts = (message["data"] for message in stream if message["channel"] == "alert")
    return [next(alerts) for _ in range(count)]


monitor = next(line for line in box.get("/v1/monitors")["items"] if line["name"] == "busy")
with box.stream("status") as stream:
    kept = box.create_alert(monitor["event_id"], callback_url=webhook)
    bound = box.create_alert(monitor["event_id"], ws_connection_id=stream.connection_id)
    tell(alerts=heard(stream, 3), event_id=monitor["event_id"])
    tell(listed=[alert["alert_id"] for alert in box.list_alerts()["alerts"]], made=[kept["alert_id"], bound["alert_id"]])
    tell(disabled=box.disable_alert(kept["alert_id"])["status"], enabled=box.enable_alert(kept["alert_id"])["status"])
    for alert in (kept, bound):
        box.delete_alert(alert["alert_id"])
    tell(left=box.list_alerts()["alerts"])
    try:
        box.delete_alert(kept["alert_id"])
    except Refused as refused:
        tell(refused=refused.status, hint=refused.hint)

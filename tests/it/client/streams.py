"""What the client does with streams of a running daemon: streams.py CLIENT_FOLDER ADDRESS prints one JSON line per call."""

import json
import sys

folder, address = sys.argv[1:]
sys.path.insert(0, folder)
from stakeout_client import Refused, Stakeout  # noqa: E402

box = Stakeout(address)


def told(call, *arguments, **named):
    try:
        answer = call(*arguments, **named)
        print(json.dumps(answer))
        return answer
    except Refused as refused:
        print(json.dumps({"refused": refused.status}))


stream = told(box.connect, "rtsp://127.0.0.1:9/1", label="Loading dock")
asked = {"confidence_threshold": 0.8, "cooldown_seconds": 5.5, "metadata": {"zone": "dock"}, "labels": ["person"]}
watch = told(box.subscribe, stream["id"], "A person?", "http://127.0.0.1:9/hook", model="yard-classifier", **asked)
told(box.streams)
told(box.subscriptions)
told(box.subscription, watch["id"])
told(box.stats, watch["id"])
told(box.failed_events, watch["id"], limit=5)
told(box.unsubscribe, watch["id"])
told(box.subscription, watch["id"])
told(box.disconnect, stream["id"])
told(box.streams)

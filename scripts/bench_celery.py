"""The same job in Celery, for `scripts/bench journal`: a signed POST, retried, acknowledged late.

A queue in Redis with `appendfsync always` is what a Python shop would reach for; BROKER names it.
"""
import base64
import hashlib
import hmac
import os
import time

import celery
import requests

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))

app = celery.Celery("bench", broker=os.environ["BROKER"])
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True)
session = requests.Session()


@app.task(acks_late=True, autoretry_for=(requests.RequestException,), retry_backoff=1, max_retries=5)
def deliver(url, event_id, body):
    now = str(int(time.time()))
    signed = f"{event_id}.{now}.{body}".encode()
    response = session.post(url, data=body.encode(), timeout=5, allow_redirects=False, headers={
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode(),
        "X-Trio-Signature": hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest(),
    })
    response.raise_for_status()

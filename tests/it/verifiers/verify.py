"""Verifies a request as a receiver would: with PyPI's `standardwebhooks`, and with five lines of `hmac`.

Usage: verify.py REQUEST.json SECRET…, where REQUEST.json holds {"headers": {...}, "body": "..."} and the secrets are the
receiver's, newest first: the standard signature must verify with each alone, X-Trio-Signature with the last. Prints
`verified` and exits 0, or says what failed and exits 1.
"""

import hashlib
import hmac
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

request = json.load(open(sys.argv[1], encoding="utf-8"))
secrets = sys.argv[2:]
headers, body = request["headers"], request["body"].encode()

failures = []
for secret in secrets:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        failures.append(f"standardwebhooks: {error}")

expected = hmac.new(secrets[-1].encode(), body, hashlib.sha256).hexdigest()
if not hmac.compare_digest(expected, headers["x-trio-signature"]):
    failures.append("X-Trio-Signature: does not match")
if failures:
    sys.exit("; ".join(failures))
print("verified")

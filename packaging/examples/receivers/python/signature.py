"""Whether a request comes from somebody who has the secret.

Stakeout signs every request twice; either signature is enough. The comparison takes the same time wherever the two differ.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping

# How far webhook-timestamp may be from our clock: Standard Webhooks asks for five minutes.
TOLERANCE_S = 300


def signed_id(secrets: list[str], headers: Mapping[str, str], body: bytes) -> str | None:
    """The id of the event in `body` if one of `secrets` has signed it, otherwise None.

    It is read only from where the signature covers it: whoever repeats an old request may write what he likes elsewhere.
    """
    if any(is_standard(secret, headers, body) for secret in secrets):
        return headers["webhook-id"]
    if any(is_trio(secret, headers, body) for secret in secrets):
        return id_in(body)
    return None


def is_standard(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Standard Webhooks: the base64 HMAC of "id.timestamp.body", one for each secret in use."""
    event, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event or not re.fullmatch("[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    digest = hmac.digest(key(secret), f"{event}.{timestamp}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(expected, signature) for signature in given)


def is_trio(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """X-Trio-Signature: the hex HMAC of the body and of nothing else, with the whole secret as the key."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), headers.get("x-trio-signature", "").encode())


def id_in(body: bytes) -> str | None:
    """Where the format `stakeout` has it; the other formats need the standard signature."""
    try:
        event = json.loads(body)["data"]["event_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return event if isinstance(event, str) else None


def key(secret: str) -> bytes:
    """What follows whsec_ is base64; any other secret is the key itself."""
    encoded = secret.removeprefix("whsec_")
    return secret.encode() if encoded == secret else base64.b64decode(encoded, validate=True)

"""What the files of a daemon that is down say: deliveries for the oracle, and what must never change."""
import hashlib
import uuid

from .oracle import Row

# Outcomes of a POST that brought no status.
WITHOUT_STATUS = ("no_answer", "malformed", "stale_connection")

_DELIVERIES = """
SELECT endpoint, event.id, state, sequence,
    (SELECT count(*) FROM attempt WHERE attempt.delivery = delivery.n AND outcome IN (?, ?, ?))
FROM delivery JOIN event ON event.seq = event_seq
"""

_FROZEN = """
SELECT event.id, event.frame, delivery.id, body, hole, delivery.frame
FROM event LEFT JOIN delivery ON event_seq = event.seq ORDER BY delivery.n
"""


def integrity(database):
    return database.execute("PRAGMA integrity_check").fetchone()[0]


def deliveries(database):
    """By endpoint and event: oracle.Row."""
    found = database.execute(_DELIVERIES, WITHOUT_STATUS)
    return {(endpoint, _id(event)): Row(*rest) for endpoint, event, *rest in found}


def frozen(database, state):
    """By event, for each delivery: what was rendered once, and the digests of the pictures that belong to it."""
    rows = {}
    for event, original, delivery, body, hole, smaller in database.execute(_FROZEN):
        pictures = (_picture(state, original), _picture(state, smaller))
        rows.setdefault(_id(event), []).append(((delivery, body, hole, original, smaller), pictures))
    return rows


def _id(blob):
    return str(uuid.UUID(bytes=blob))


def _picture(state, frame):
    if frame is None:
        return None
    try:
        return hashlib.sha256((state / "frames" / frame).read_bytes()).hexdigest()
    except FileNotFoundError:
        return "missing"

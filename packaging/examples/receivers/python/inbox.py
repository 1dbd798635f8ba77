"""Events that we have answered for, in SQLite: kept until they are worked off, and their ids for long after.

The table is the queue. A request is answered when its row is on the disk, so neither a crash nor a power cut forgets an
event or takes the next attempt of one for new. For one process: two would take the same row.
"""

import sqlite3
import threading
import time

# Longer than Stakeout keeps what it could send again (`keep_dead`, 30 days).
REMEMBERED_S = 90 * 86400

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    arrived REAL NOT NULL,
    body BLOB,                      -- NULL: worked off
    due REAL NOT NULL,              -- when to work on it, or to try again
    failures INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS event_waiting ON event (due) WHERE body IS NOT NULL;
"""


class Inbox:
    def __init__(self, path: str):
        self.database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.executescript(SCHEMA)
        self.lock = threading.Lock()
        self.bell = threading.Event()

    def put(self, event: str, body: bytes) -> bool:
        """Keeps an event; False where it is known already. On the disk when this returns."""
        now = time.time()
        is_new = self.run(
            "INSERT OR IGNORE INTO event (id, arrived, body, due) VALUES (?, ?, ?, ?)", event, now, body, now
        )
        self.bell.set()
        return bool(is_new)

    def knows(self, event: str) -> bool:
        """Whether it was put here, also when it is worked off."""
        with self.lock:
            return self.database.execute("SELECT 1 FROM event WHERE id = ?", (event,)).fetchone() is not None

    def next(self) -> tuple[str, bytes]:
        """Waits for the event that is to be worked on."""
        waiting = "SELECT id, body FROM event WHERE body IS NOT NULL AND due <= ? ORDER BY due LIMIT 1"
        while True:
            self.bell.clear()
            with self.lock:
                found = self.database.execute(waiting, (time.time(),)).fetchone()
            if found:
                return found
            self.bell.wait(timeout=1)

    def done(self, event: str) -> None:
        """The id stays, the body goes."""
        self.run("UPDATE event SET body = NULL WHERE id = ?", event)
        self.run("DELETE FROM event WHERE body IS NULL AND arrived < ?", time.time() - REMEMBERED_S)

    def failed(self, event: str) -> None:
        """Tried again after 10 s, then after longer and longer, an hour at most; others go on meanwhile."""
        later = "UPDATE event SET due = ? + min(3600, 10 << min(failures, 9)), failures = failures + 1 WHERE id = ?"
        self.run(later, time.time(), event)

    def run(self, statement: str, *values) -> int:
        with self.lock:
            return self.database.execute(statement, values).rowcount

-- The journal, schema version 1. Applied to an empty database only; later versions are migrations, forward only.
--
-- Ids that the world sees are UUIDs in 16-byte BLOBs (version 7, so that their indexes only append); rows refer to each
-- other by INTEGER keys. `…_ms` are milliseconds: of the wall clock since 1970 for moments, plain for durations. Columns
-- that nothing fills yet say so: they are here so that later releases add meaning, not tables.

-- What is true of the whole journal.
CREATE TABLE meta (
    one                INTEGER PRIMARY KEY CHECK (one = 1),
    epoch              BLOB    NOT NULL, -- UUID, new after a reset: sequences compare only within one
    generation         INTEGER NOT NULL, -- starts of the daemon so far
    clean              INTEGER NOT NULL, -- 1: the last process said good-bye; cleared at start
    unclean_generation INTEGER NOT NULL  -- the last generation that began after an unclean end: open deliveries of earlier
                                         -- generations may have been sent
) STRICT;

-- Immutable facts, in the order of everything.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, not even after a purge
    id          BLOB    NOT NULL UNIQUE,           -- UUIDv7, the same on every endpoint and channel
    type        TEXT    NOT NULL,                  -- as receivers see it: monitor.triggered, …
    device      TEXT    NOT NULL,                  -- [device] id at the time
    camera      TEXT    NOT NULL,
    monitor     TEXT    NOT NULL,
    job         BLOB    NOT NULL,                  -- job.id
    open_id     BLOB,                              -- joins an alert with its repeats and its end
    repeat      INTEGER,                           -- 0 for the first alert
    priority    INTEGER NOT NULL,                  -- 0 critical … 3 low
    observed_ms INTEGER NOT NULL,                  -- wall clock
    boot        BLOB    NOT NULL,                  -- the boot that observed_ns belongs to
    observed_ns INTEGER NOT NULL,                  -- monotonic clock
    synced      INTEGER NOT NULL,                  -- 1: the wall clock could be believed
    recorded_ms INTEGER NOT NULL,                  -- wall clock at acceptance
    metadata    TEXT    NOT NULL,                  -- the monitor's, as JSON
    data        TEXT    NOT NULL,                  -- what happened, as JSON: confidence, z, answer mass, regions, model, …
    frame       TEXT,                              -- file in frames/: the original
    owed        INTEGER NOT NULL                   -- deliveries that were accepted with it
) STRICT;
CREATE INDEX event_monitor ON event (monitor, seq);
CREATE INDEX event_type ON event (type, seq);
CREATE INDEX event_unowed ON event (recorded_ms) WHERE owed = 0;

-- One event owed to one endpoint.
CREATE TABLE delivery (
    n                INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of acceptance
    id               BLOB    NOT NULL UNIQUE,     -- UUIDv7, the same on every attempt
    event_seq        INTEGER NOT NULL REFERENCES event (seq),
    endpoint         TEXT    NOT NULL,
    sequence         INTEGER NOT NULL,            -- gapless per endpoint
    priority         INTEGER NOT NULL,            -- the event's
    state            TEXT    NOT NULL,            -- pending, retry_wait, held; delivered; dead, expired, dropped_quota, skipped_gone
    reason           TEXT,                        -- why it is held or dead
    due_ms           INTEGER NOT NULL,            -- wall clock at which it is tried (again)
    delay_ms         INTEGER NOT NULL,            -- how far away that was when it was decided: never wait for longer
    attempts         INTEGER NOT NULL DEFAULT 0,  -- burnt
    tries            INTEGER NOT NULL DEFAULT 0,  -- POSTs
    holds            INTEGER NOT NULL DEFAULT 0,
    held_ms          INTEGER NOT NULL DEFAULT 0,
    maybe_received   INTEGER NOT NULL DEFAULT 0,  -- 1: a POST went out whose answer we never saw
    redriven         INTEGER NOT NULL DEFAULT 0,  -- times that an operator sent it back into the queue
    generation       INTEGER NOT NULL,            -- in which it was last written
    claim_generation INTEGER,                     -- of the process that is sending it, after an unclean end
    unclean_claims   INTEGER NOT NULL DEFAULT 0,  -- unclean ends running with this row claimed
    accepted_ms      INTEGER NOT NULL,            -- wall clock
    accepted_ns      INTEGER NOT NULL,            -- monotonic clock of the event's boot
    ended_ms         INTEGER,                     -- wall clock; NULL while it is still owed
    latency_ms       INTEGER,                     -- acceptance to 2xx, monotonic where it is the same boot
    format_version   INTEGER NOT NULL,            -- of the format that rendered
    body             TEXT,                        -- frozen JSON text without the frame; NULL: a tombstone, nothing to send
    hole             INTEGER,                     -- byte of body where the base64 of the frame goes; NULL: no frame
    frame            TEXT                         -- file in frames/ for the hole: the event's own or a smaller one
) STRICT;
CREATE INDEX delivery_event ON delivery (event_seq);
CREATE INDEX delivery_state ON delivery (state, n);
CREATE INDEX delivery_endpoint ON delivery (endpoint, n);
CREATE INDEX delivery_endpoint_state ON delivery (endpoint, state, n);
CREATE INDEX delivery_due ON delivery (endpoint, priority, due_ms, n) WHERE ended_ms IS NULL;
CREATE INDEX delivery_ended ON delivery (endpoint, state, ended_ms) WHERE ended_ms IS NOT NULL;

-- One POST.
CREATE TABLE attempt (
    n          INTEGER PRIMARY KEY,
    delivery   INTEGER NOT NULL REFERENCES delivery (n) ON DELETE CASCADE,
    started_ms INTEGER NOT NULL, -- wall clock
    took_ms    INTEGER NOT NULL, -- until the status line, or until it failed
    outcome    TEXT    NOT NULL, -- class: delivered, status, offline, unreachable, …
    status     INTEGER,          -- HTTP
    error      TEXT,             -- for people, without secrets
    snippet    TEXT              -- the beginning of the response, at most 1 KiB
) STRICT;
CREATE INDEX attempt_delivery ON attempt (delivery, n);

-- The condition machines: one per monitor and camera.
CREATE TABLE machine (
    n          INTEGER PRIMARY KEY,
    monitor    TEXT    NOT NULL,
    camera     TEXT    NOT NULL,
    definition TEXT    NOT NULL, -- hash of the monitor's definition
    state      TEXT    NOT NULL, -- JSON, opaque here
    open_id    BLOB,             -- the open event
    cooldown   TEXT,             -- JSON: boot, monotonic and wall deadline, whole delay
    counters   TEXT    NOT NULL, -- JSON, as of the last checkpoint
    UNIQUE (monitor, camera)
) STRICT;

-- Runs of monitors.
CREATE TABLE job (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    monitor    TEXT    NOT NULL,
    camera     TEXT    NOT NULL,
    origin     TEXT    NOT NULL, -- file, api
    status     TEXT    NOT NULL, -- pending, running, stopped, completed, failed
    reason     TEXT,             -- why it ended
    counters   TEXT    NOT NULL, -- JSON, as of the last checkpoint
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    request    TEXT              -- JSON: what the API's client asked for
) STRICT;
CREATE INDEX job_monitor ON job (monitor, n);
CREATE INDEX job_status ON job (status, n);

-- What is remembered of endpoints beside their deliveries.
CREATE TABLE endpoint_state (
    name            TEXT    PRIMARY KEY,
    next_sequence   INTEGER NOT NULL DEFAULT 1,
    gone            INTEGER NOT NULL DEFAULT 0,  -- 1: it said 410; what is accepted now is skipped_gone
    paused_until_ms INTEGER,                     -- wall clock: Retry-After that outlives a restart
    last_success_ms INTEGER,
    last_error_ms   INTEGER,
    last_error      TEXT,
    buckets         TEXT    NOT NULL DEFAULT '[]' -- not filled yet: statistics that outlive a purge, JSON
) STRICT;

-- What was changed at run time (not filled yet).
CREATE TABLE override (
    n       INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL, -- monitor, endpoint
    name    TEXT    NOT NULL,
    action  TEXT    NOT NULL, -- enabled, disabled, created
    detail  TEXT,             -- JSON of what was created
    by_whom TEXT    NOT NULL, -- the peer's uid, or the API token's holder
    at_ms   INTEGER NOT NULL,
    UNIQUE (kind, name)
) STRICT;

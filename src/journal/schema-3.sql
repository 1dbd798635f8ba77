-- Schema version 3: room, damage, and what the journal itself has to say.
--
-- Since this version `event.camera` and `event.monitor` are '' and `event.job` is all zeros for events of the whole box,
-- and the body of a delivery that is `dropped_quota` is NULL: only a tombstone is left of it.

-- How far the clock of the purge had come, wall ms (see retention.rs), and when that was; NULL: it never ran.
ALTER TABLE meta ADD COLUMN purge_ms INTEGER;
ALTER TABLE meta ADD COLUMN purge_boot BLOB;   -- the boot that purge_ns belongs to
ALTER TABLE meta ADD COLUMN purge_ns INTEGER;  -- monotonic clock

-- Counts that outlive restarts, purges and resets: journal_resets, dropped_quota.
CREATE TABLE tally (
    name  TEXT    PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;

-- What the journal has to announce by an event of its own; gone with the transaction that records that event.
CREATE TABLE notice (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    since_ms INTEGER NOT NULL, -- wall clock, when it began
    last_ms  INTEGER NOT NULL, -- wall clock, when it last grew
    ripe     INTEGER NOT NULL, -- 1: it grows no more
    data     TEXT    NOT NULL  -- the event's data, as in event.data
) STRICT;

-- Which frames go first when they take too much: the least urgent and oldest, of what has ended and of what nobody can have
-- received yet.
CREATE INDEX delivery_framed_ended ON delivery (priority, n) WHERE frame IS NOT NULL AND ended_ms IS NOT NULL;
CREATE INDEX delivery_framed ON delivery (priority, generation, n)
    WHERE frame IS NOT NULL AND ended_ms IS NULL AND tries = 0 AND maybe_received = 0;

-- What goes first when there is no room: the oldest of the least urgent, whoever it is owed to.
CREATE INDEX delivery_owed ON delivery (priority, n) WHERE ended_ms IS NULL;

-- What was being sent when a process ended uncleanly: few rows, found without a look at the others.
CREATE INDEX delivery_suspect ON delivery (n) WHERE claim_generation IS NOT NULL OR unclean_claims > 0;

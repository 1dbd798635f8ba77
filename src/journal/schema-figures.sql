-- The step of the schema that counts. What is counted while it happens need not be counted when somebody asks, however long
-- the backlog is, and outlives a purge. Triggers do it: whoever moves a row, the counts move in the same transaction.

-- Starts of the daemon after an end without a good-bye.
ALTER TABLE meta ADD COLUMN unclean_starts INTEGER NOT NULL DEFAULT 0;

-- What each state counts as; a dead letter that an operator dropped counts no more.
CREATE TABLE counts_as (
    state   TEXT    PRIMARY KEY,
    pending INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    dead    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counts_as VALUES
    ('pending', 1, 0, 0), ('retry_wait', 1, 0, 0), ('held', 0, 1, 0), ('delivered', 0, 0, 0),
    ('dead', 0, 0, 1), ('expired', 0, 0, 1), ('dropped_quota', 0, 0, 1), ('skipped_gone', 0, 0, 1);

-- How each endpoint and each monitor stands now.
CREATE TABLE account (
    kind            TEXT    NOT NULL, -- endpoint, monitor
    name            TEXT    NOT NULL,
    kept            INTEGER NOT NULL DEFAULT 0, -- rows in the journal: deliveries of an endpoint, events of a monitor
    pending         INTEGER NOT NULL DEFAULT 0, -- pending or retry_wait
    held            INTEGER NOT NULL DEFAULT 0,
    dead            INTEGER NOT NULL DEFAULT 0,
    last_success_ms INTEGER,                    -- wall clock
    last_error_ms   INTEGER,
    last_error      TEXT,                       -- for people, without secrets
    failing         INTEGER NOT NULL DEFAULT 0, -- 1: the latest attempt failed
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Deliveries that ended, since the journal was made; never goes down.
CREATE TABLE ended (
    endpoint TEXT    NOT NULL,
    state    TEXT    NOT NULL, -- delivered, dead, expired, …
    reason   TEXT    NOT NULL, -- of what is dead; '' otherwise
    amount   INTEGER NOT NULL,
    PRIMARY KEY (endpoint, state, reason)
) STRICT, WITHOUT ROWID;

-- The last day in quarters of an hour.
CREATE TABLE figure (
    quarter INTEGER NOT NULL, -- of figure_clock
    kind    TEXT    NOT NULL, -- endpoint, monitor
    name    TEXT    NOT NULL,
    what    TEXT    NOT NULL, -- accepted (deliveries of an endpoint, events of a monitor), delivered, failed;
                              -- latency_ms: their sum; latency: deliveries by slot
    slot    INTEGER NOT NULL, -- latency_slot.up_to_ms; 0 where there are no slots
    amount  INTEGER NOT NULL,
    PRIMARY KEY (quarter, kind, name, what, slot)
) STRICT, WITHOUT ROWID;

-- The time that figures are kept by: only ever goes forward, whatever the wall clock does (see clock.rs).
CREATE TABLE figure_clock (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    at_ms          INTEGER NOT NULL,
    boot           BLOB    NOT NULL, -- the boot that mono_ns belongs to
    mono_ns        INTEGER NOT NULL, -- monotonic clock at at_ms
    synced         INTEGER NOT NULL, -- 1: the wall clock could be believed then
    believed_at_ms INTEGER,          -- when it last could be, …
    believed_ms    INTEGER           -- … and what it showed
) STRICT;
INSERT INTO figure_clock (one, at_ms, boot, mono_ns, synced) VALUES (1, 0, zeroblob(16), 0, 0);

-- Renard series R20: twenty slots a decade, each an eighth wider than the one before. day.rs knows it too.
CREATE TABLE latency_slot (up_to_ms INTEGER PRIMARY KEY) STRICT;
INSERT INTO latency_slot VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9);
INSERT INTO latency_slot
    SELECT step.column1 * decade.column1
    FROM (VALUES (10), (11), (13), (14), (16), (18), (20), (22), (25), (28), (32), (36), (40), (45), (50), (56), (63), (71),
                 (80), (90)) AS step,
         (VALUES (1), (10), (100), (1000), (10000), (100000), (1000000), (10000000)) AS decade;
INSERT INTO latency_slot VALUES (9223372036854775807);

CREATE TRIGGER event_is_counted AFTER INSERT ON event BEGIN
    INSERT INTO account (kind, name, kept) VALUES ('monitor', NEW.monitor, 1)
        ON CONFLICT DO UPDATE SET kept = kept + 1;
    INSERT INTO figure SELECT at_ms / 900000, 'monitor', NEW.monitor, 'accepted', 0, 1 FROM figure_clock WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + 1;
END;

CREATE TRIGGER event_is_gone AFTER DELETE ON event BEGIN
    UPDATE account SET kept = kept - 1 WHERE kind = 'monitor' AND name = OLD.monitor;
END;

CREATE TRIGGER delivery_is_counted AFTER INSERT ON delivery BEGIN
    INSERT INTO account (kind, name, kept, pending, held, dead)
        SELECT owner.kind, owner.name, owner.kind = 'endpoint', pending, held,
            dead AND NEW.reason IS NOT 'dropped_by_hand' -- a salvage inserts these, too
        FROM counts_as,
             (SELECT 'endpoint' AS kind, NEW.endpoint AS name
              UNION ALL SELECT 'monitor', monitor FROM event WHERE seq = NEW.event_seq) AS owner
        WHERE state = NEW.state
        ON CONFLICT DO UPDATE SET kept = kept + excluded.kept, pending = pending + excluded.pending,
            held = held + excluded.held, dead = dead + excluded.dead;
    INSERT INTO figure SELECT at_ms / 900000, 'endpoint', NEW.endpoint, 'accepted', 0, 1 FROM figure_clock WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + 1;
END;

CREATE TRIGGER delivery_moves AFTER UPDATE OF state, reason ON delivery
WHEN (OLD.state, OLD.reason) IS NOT (NEW.state, NEW.reason) BEGIN
    UPDATE account
    SET pending = account.pending + after.pending - before.pending, held = account.held + after.held - before.held,
        dead = account.dead + (after.dead AND NEW.reason IS NOT 'dropped_by_hand')
            - (before.dead AND OLD.reason IS NOT 'dropped_by_hand')
    FROM counts_as AS before, counts_as AS after
    WHERE before.state = OLD.state AND after.state = NEW.state
      AND (kind, name) IN (VALUES ('endpoint', NEW.endpoint),
                                  ('monitor', (SELECT monitor FROM event WHERE seq = NEW.event_seq)));
END;

CREATE TRIGGER delivery_is_gone AFTER DELETE ON delivery BEGIN
    UPDATE account
    SET kept = kept - (kind = 'endpoint'), pending = account.pending - before.pending, held = account.held - before.held,
        dead = account.dead - (before.dead AND OLD.reason IS NOT 'dropped_by_hand')
    FROM counts_as AS before
    WHERE before.state = OLD.state
      AND (kind, name) IN (VALUES ('endpoint', OLD.endpoint),
                                  ('monitor', (SELECT monitor FROM event WHERE seq = OLD.event_seq)));
END;

CREATE TRIGGER delivery_ends_at_once AFTER INSERT ON delivery WHEN NEW.ended_ms IS NOT NULL BEGIN
    INSERT INTO ended VALUES (NEW.endpoint, NEW.state, coalesce(NEW.reason, ''), 1)
        ON CONFLICT DO UPDATE SET amount = amount + 1;
    INSERT INTO figure
        SELECT at_ms / 900000, owner.kind, owner.name, CASE NEW.state WHEN 'delivered' THEN 'delivered' ELSE 'failed' END, 0, 1
        FROM figure_clock,
             (SELECT 'endpoint' AS kind, NEW.endpoint AS name
              UNION ALL SELECT 'monitor', monitor FROM event WHERE seq = NEW.event_seq) AS owner
        WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + 1;
END;

CREATE TRIGGER delivery_ends AFTER UPDATE OF ended_ms ON delivery
WHEN OLD.ended_ms IS NULL AND NEW.ended_ms IS NOT NULL BEGIN
    INSERT INTO ended VALUES (NEW.endpoint, NEW.state, coalesce(NEW.reason, ''), 1)
        ON CONFLICT DO UPDATE SET amount = amount + 1;
    INSERT INTO figure
        SELECT at_ms / 900000, owner.kind, owner.name, fact.what, fact.slot, fact.amount
        FROM figure_clock,
             (SELECT 'endpoint' AS kind, NEW.endpoint AS name
              UNION ALL SELECT 'monitor', monitor FROM event WHERE seq = NEW.event_seq) AS owner,
             (SELECT CASE NEW.state WHEN 'delivered' THEN 'delivered' ELSE 'failed' END AS what, 0 AS slot, 1 AS amount
              UNION ALL SELECT 'latency_ms', 0, NEW.latency_ms WHERE NEW.latency_ms IS NOT NULL
              UNION ALL SELECT * FROM (SELECT 'latency', up_to_ms, 1 FROM latency_slot WHERE up_to_ms >= NEW.latency_ms
                                       ORDER BY up_to_ms LIMIT 1)) AS fact
        WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + excluded.amount;
END;

-- What is there already.
INSERT INTO account (kind, name, kept) SELECT 'monitor', monitor, count(*) FROM event GROUP BY monitor;
INSERT INTO account (kind, name, kept, pending, held, dead)
    SELECT 'endpoint', endpoint, count(*), sum(pending), sum(held), sum(dead AND reason IS NOT 'dropped_by_hand')
    FROM delivery JOIN counts_as USING (state) GROUP BY endpoint;
INSERT INTO account (kind, name, pending, held, dead)
    SELECT 'monitor', monitor, sum(pending), sum(held), sum(dead AND reason IS NOT 'dropped_by_hand')
    FROM delivery JOIN counts_as USING (state) JOIN event ON seq = event_seq WHERE true GROUP BY monitor
    ON CONFLICT DO UPDATE SET pending = excluded.pending, held = excluded.held, dead = excluded.dead;
INSERT INTO account (kind, name, last_success_ms, last_error_ms, last_error)
    SELECT 'endpoint', name, last_success_ms, last_error_ms, last_error FROM endpoint_state WHERE true
    ON CONFLICT DO UPDATE SET last_success_ms = excluded.last_success_ms, last_error_ms = excluded.last_error_ms,
        last_error = excluded.last_error;
INSERT INTO ended
    SELECT endpoint, state, coalesce(reason, ''), count(*) FROM delivery WHERE ended_ms IS NOT NULL GROUP BY 1, 2, 3;

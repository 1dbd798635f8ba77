-- Schema version 6: what clients are told of one monitor, however many share its endpoint.

-- Dead letters that no operator dropped and that have their bodies, by the monitor whose events they were to tell. Triggers
-- keep it. Tombstones are not among them: what makes room must not take any.
CREATE TABLE dead_letter (
    monitor  TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    n        INTEGER NOT NULL, -- delivery.n
    PRIMARY KEY (monitor, endpoint, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delivery_is_dead_at_once AFTER INSERT ON delivery
WHEN NEW.state IN ('dead', 'expired', 'skipped_gone') AND NEW.reason IS NOT 'dropped_by_hand' BEGIN
    INSERT INTO dead_letter SELECT monitor, NEW.endpoint, NEW.n FROM event WHERE seq = NEW.event_seq
        ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER delivery_dies AFTER UPDATE OF state, reason ON delivery
WHEN NEW.state IN ('dead', 'expired', 'skipped_gone') AND NEW.reason IS NOT 'dropped_by_hand' BEGIN
    INSERT INTO dead_letter SELECT monitor, NEW.endpoint, NEW.n FROM event WHERE seq = NEW.event_seq
        ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER delivery_is_dead_no_more AFTER UPDATE OF state, reason ON delivery
WHEN OLD.state IN ('dead', 'expired', 'skipped_gone')
    AND (NEW.state NOT IN ('dead', 'expired', 'skipped_gone') OR NEW.reason IS 'dropped_by_hand') BEGIN
    DELETE FROM dead_letter
    WHERE monitor = (SELECT monitor FROM event WHERE seq = OLD.event_seq) AND endpoint = OLD.endpoint AND n = OLD.n;
END;

CREATE TRIGGER dead_letter_is_gone AFTER DELETE ON delivery
WHEN OLD.state IN ('dead', 'expired', 'skipped_gone') BEGIN
    DELETE FROM dead_letter
    WHERE monitor = (SELECT monitor FROM event WHERE seq = OLD.event_seq) AND endpoint = OLD.endpoint AND n = OLD.n;
END;

-- Among a monitor's figures: `owed`, its events that somebody is told of.
CREATE TRIGGER owed_event_is_counted AFTER INSERT ON event WHEN NEW.owed > 0 BEGIN
    INSERT INTO figure SELECT at_ms / 900000, 'monitor', NEW.monitor, 'owed', 0, 1 FROM figure_clock WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + 1;
END;

-- What is there already.
INSERT INTO dead_letter
    SELECT monitor, endpoint, n FROM delivery JOIN event ON seq = event_seq
    WHERE state IN ('dead', 'expired', 'skipped_gone') AND reason IS NOT 'dropped_by_hand';

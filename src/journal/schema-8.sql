-- Schema version 8: monitors that rehearse (`shadow`).

-- Of an event of theirs: the endpoints that would have been owed it, a JSON list. NULL: its monitor is armed.
ALTER TABLE event ADD COLUMN shadow TEXT;

-- Among a monitor's figures: `shadow`, its events that somebody would have been told of.
CREATE TRIGGER shadow_event_is_counted AFTER INSERT ON event WHEN NEW.shadow IS NOT NULL AND NEW.shadow <> '[]' BEGIN
    INSERT INTO figure SELECT at_ms / 900000, 'monitor', NEW.monitor, 'shadow', 0, 1 FROM figure_clock WHERE true
        ON CONFLICT DO UPDATE SET amount = amount + 1;
END;

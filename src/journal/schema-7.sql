-- Schema version 7: an alert, its repeats and its end are found from each other.

CREATE INDEX event_open ON event (open_id) WHERE open_id IS NOT NULL;

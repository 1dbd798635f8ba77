-- Schema version 5: what was defined while running, and moments that are unique.

-- Endpoints, monitors, streams and whatever else was made over the API, and what of the file was changed over it.
CREATE TABLE definition (
    kind    TEXT    NOT NULL, -- what it is
    name    TEXT    NOT NULL, -- unique among its kind
    body    TEXT    NOT NULL, -- JSON, opaque here
    made_ms INTEGER NOT NULL, -- wall clock
    PRIMARY KEY (kind, name)
) STRICT;

-- The moment that the latest delivery was given, in microseconds of the wall clock: no two of an endpoint have the same.
ALTER TABLE endpoint_state ADD COLUMN stamp_us INTEGER NOT NULL DEFAULT 0;

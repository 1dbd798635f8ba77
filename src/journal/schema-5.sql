-- Schema version 5: what was defined while running.

-- Endpoints, monitors, streams and whatever else was made over the API, and what of the file was changed over it.
CREATE TABLE definition (
    kind    TEXT    NOT NULL, -- what it is
    name    TEXT    NOT NULL, -- unique among its kind
    body    TEXT    NOT NULL, -- JSON, opaque here
    made_ms INTEGER NOT NULL, -- wall clock
    PRIMARY KEY (kind, name)
) STRICT;

-- Schema version 4: what the world was last told of cameras.

CREATE TABLE presence (
    camera TEXT PRIMARY KEY,
    state  TEXT NOT NULL -- JSON, opaque here
) STRICT;

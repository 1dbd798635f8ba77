-- Schema version 9: clips of alerts.

-- What is recorded of a camera because of its alerts, or was. The row is there before the file.
CREATE TABLE clip (
    n           INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,   -- UUIDv7; its file is clips/<id>.mp4
    camera      TEXT    NOT NULL,
    height      INTEGER,                   -- lines of its picture, as the alert saw it
    state       TEXT    NOT NULL,          -- recording, ready, failed, gone
    file        INTEGER NOT NULL DEFAULT 0, -- 1: there is a file, whose beginning was on stable storage before this
    asked_ms    INTEGER NOT NULL,          -- wall clock, when an alert began it
    started_us  INTEGER,                   -- wall clock of its first picture, microseconds
    ended_us    INTEGER,                   -- the same of its end
    bytes       INTEGER NOT NULL DEFAULT 0, -- of its file, as far as it is whole
    sha256      TEXT,                      -- of its file, once that is ready
    duration_ms INTEGER,
    why         TEXT,                      -- it failed, or is gone
    over_ms     INTEGER,                   -- the clock of `retention`, once nobody is owed an alert of it: it ages from then on
    untold      INTEGER NOT NULL DEFAULT 0 -- 1: there was no room to tell what became of it
) STRICT;
CREATE INDEX clip_camera ON clip (camera, n);
CREATE INDEX clip_state ON clip (state, n);
CREATE INDEX clip_file ON clip (n, state, bytes) WHERE file = 1;
CREATE INDEX clip_age ON clip (state, over_ms);
CREATE INDEX clip_ageless ON clip (n) WHERE over_ms IS NULL AND state <> 'recording';
CREATE INDEX clip_untold ON clip (n) WHERE untold = 1;

-- The alerts that a clip shows, and the events that tell of it.
CREATE TABLE clip_event (
    clip  INTEGER NOT NULL REFERENCES clip (n) ON DELETE CASCADE,
    event INTEGER NOT NULL REFERENCES event (seq) ON DELETE CASCADE,
    told  TEXT    NOT NULL, -- of an alert: the endpoints that are told of the clip because of it, a JSON list
    PRIMARY KEY (clip, event)
) STRICT;
CREATE INDEX clip_event_event ON clip_event (event);

-- What signs links to clips: made once, so that links outlive restarts.
CREATE TABLE link_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    key BLOB    NOT NULL -- 32 random bytes
) STRICT;

-- 1: it tells of a clip, and goes before anything that tells of an alert.
ALTER TABLE delivery ADD COLUMN of_clip INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_of_clip ON delivery (n) WHERE of_clip = 1 AND ended_ms IS NULL;

CREATE INDEX event_framed ON event (seq) WHERE frame IS NOT NULL;

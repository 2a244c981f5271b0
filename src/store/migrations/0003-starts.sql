-- What tells a start of a daemon on this database from one on a copy of it, and what has
-- data on a headnode that may be removed.

CREATE TABLE starts (
    generation INTEGER PRIMARY KEY,
    word       TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

CREATE INDEX attempts_uncleaned ON attempts (ended_at) WHERE cleaned_at IS NULL AND ended_at IS NOT NULL;

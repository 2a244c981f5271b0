-- What ssh, pueue, rules, case.yaml and manifests need.

ALTER TABLE headnodes ADD COLUMN needs_person INTEGER NOT NULL DEFAULT 0 CHECK (needs_person IN (0, 1));
ALTER TABLE headnodes ADD COLUMN queue_seen TEXT;
ALTER TABLE headnodes ADD COLUMN part TEXT CHECK (part IN ('host', 'queue'));
ALTER TABLE cases ADD COLUMN params TEXT;
ALTER TABLE cases ADD COLUMN notify TEXT;
ALTER TABLE cases ADD COLUMN rule TEXT;
ALTER TABLE cases ADD COLUMN priority_by TEXT;
ALTER TABLE cases ADD COLUMN manifest_name TEXT;
ALTER TABLE cases ADD COLUMN manifest_fingerprint TEXT;
ALTER TABLE cases ADD COLUMN manifest_problems TEXT;
ALTER TABLE attempts ADD COLUMN params TEXT;
ALTER TABLE attempts ADD COLUMN stop TEXT;
ALTER TABLE attempts ADD COLUMN stopping TEXT CHECK (stopping IN ('due', 'done', 'waived'));
ALTER TABLE attempts ADD COLUMN stopping_since TEXT;
ALTER TABLE attempts ADD COLUMN cleaned_at TEXT;

-- One more word each.
ALTER TABLE conditions RENAME TO old_conditions;
CREATE TABLE conditions (
    case_id    TEXT    NOT NULL REFERENCES cases (id),
    name       TEXT    NOT NULL CHECK (name IN (
                   'content', 'quiet', 'no_writers', 'unfinished', 'marker', 'manifest', 'checksums',
                   'new_content', 'start')),
    position   INTEGER NOT NULL,
    holds      INTEGER NOT NULL CHECK (holds IN (0, 1)),
    detail     TEXT    NOT NULL,
    since      TEXT    NOT NULL,
    checked_at TEXT,
    PRIMARY KEY (case_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO conditions SELECT * FROM old_conditions;
DROP TABLE old_conditions;

ALTER TABLE steps RENAME TO old_steps;
CREATE TABLE steps (
    case_id      TEXT    NOT NULL REFERENCES cases (id),
    attempt_id   TEXT,
    step         TEXT    NOT NULL CHECK (step IN (
                     'scan', 'hash', 'manifest', 'ship', 'submit', 'look', 'claim', 'end', 'stop',
                     'return')),
    state        TEXT    NOT NULL CHECK (state IN ('going', 'trouble')),
    tries        INTEGER NOT NULL DEFAULT 0,
    first_try_at TEXT,
    last_try_at  TEXT,
    not_before   TEXT,
    strategy     TEXT,
    files_done   INTEGER,
    bytes_done   INTEGER,
    bytes_total  INTEGER,
    rate         INTEGER,
    pgid         INTEGER,
    pid_start    TEXT,
    error_class  TEXT CHECK (error_class IN (
                     'transient_host', 'transient_step', 'no_space', 'throttled', 'ambiguous',
                     'fatal_host', 'fatal_case', 'needs_person')),
    error        TEXT,
    updated_at   TEXT    NOT NULL,
    PRIMARY KEY (case_id, step),
    CHECK (state = 'going' OR (first_try_at IS NOT NULL AND last_try_at IS NOT NULL
        AND error_class IS NOT NULL AND error IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO steps SELECT * FROM old_steps;
DROP TABLE old_steps;

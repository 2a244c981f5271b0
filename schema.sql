-- The database of daylily-watch as it stands: state_dir/daylily.db.
--
-- Reading it is a supported interface, also while the daemon runs:
--   sqlite3 -readonly state/daylily.db 'select name, state, because from cases'
-- Start with the views `board`, `waiting` and `turnaround` at the end.
--
-- Times are UTC text such as 2026-11-20T06:00:00.000Z; a time taken from a file or
-- a job may carry more digits. Lists are JSON arrays. Booleans are 0 and 1.
-- The file is made by src/store/migrations/; a test holds the two together.

-- One row: whose database this is, and the red button.
CREATE TABLE meta (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    database_id    TEXT    NOT NULL,
    generation     INTEGER NOT NULL,    -- raised at each start of the daemon
    app_version    TEXT    NOT NULL,    -- of the program that last wrote here
    created_at     TEXT    NOT NULL,
    last_backup_at TEXT,
    stopped_since  TEXT,                -- pause --all
    stopped_by     TEXT,
    stopped_reason TEXT
) STRICT;

-- Every start of a daemon here, by the word that it leaves in the owner file of each
-- work_dir: what tells it from a start on a copy of this database.
CREATE TABLE starts (
    generation INTEGER PRIMARY KEY,
    word       TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT;

-- Where cases come from.
CREATE TABLE intakes (
    name          TEXT PRIMARY KEY,
    state         TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'unreadable')),
    since         TEXT,                 -- unreadable since
    because       TEXT,
    next_look     TEXT,
    paused_since  TEXT,
    paused_by     TEXT,
    paused_reason TEXT,
    mount         TEXT,                 -- what was mounted there when it was last readable
    baseline_at   TEXT,                 -- when its first scan told old folders from new ones
    scanned_at    TEXT,
    CHECK (state = 'ok' OR (since IS NOT NULL AND because IS NOT NULL AND next_look IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Where cases run. An open circuit (unreachable, broken) is remembered here.
CREATE TABLE headnodes (
    name          TEXT PRIMARY KEY,
    state         TEXT    NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'unreachable', 'broken')),
    since         TEXT,
    because       TEXT,
    paused_since  TEXT,
    paused_by     TEXT,
    paused_reason TEXT,
    draining      INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
    failures      INTEGER NOT NULL DEFAULT 0,   -- in a row
    next_try      TEXT,
    next_poll     TEXT,
    polled_at     TEXT,
    owned_at      TEXT,                 -- when its work_dir was first known to be ours
    queue_version TEXT,
    drift         TEXT,                 -- how the queue's groups differ from the configuration
    clock_skew_ms INTEGER,
    needs_person  INTEGER NOT NULL DEFAULT 0 CHECK (needs_person IN (0, 1)), -- it does not answer until somebody acts
    queue_seen    TEXT,                 -- a JSON object: what its queue was like when it last answered
    part          TEXT CHECK (part IN ('host', 'queue')),  -- which of the two does not answer or is set aside
    CHECK (state = 'ok' OR (since IS NOT NULL AND because IS NOT NULL)),
    CHECK (state <> 'unreachable' OR next_try IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- One folder of work each.
CREATE TABLE cases (
    id               TEXT PRIMARY KEY,  -- ULID
    intake           TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    arrival          INTEGER NOT NULL CHECK (arrival >= 1),
    path             TEXT    NOT NULL,
    kind             TEXT    NOT NULL CHECK (kind IN ('folder')),
    state            TEXT    NOT NULL CHECK (state IN (
                         'arriving', 'ready', 'shipping', 'staged', 'submitting', 'queued', 'running',
                         'returning', 'succeeded', 'failed', 'cancelled', 'cancelling', 'rejected')),
    state_since      TEXT    NOT NULL,
    because          TEXT    NOT NULL DEFAULT '',  -- one sentence: why it is where it is
    wake_at          TEXT,              -- when it is looked at again, if nothing happens before
    hold             TEXT,              -- the reason, when it waits for a person
    hold_why         TEXT CHECK (hold_why IN (
                         'asked', 'baseline', 'trouble', 'lost', 'unconfirmed', 'impossible', 'removed',
                         'panic', 'adopted')),
    hold_since       TEXT,
    hold_by          TEXT,
    pipeline         TEXT    NOT NULL,
    priority         TEXT    NOT NULL CHECK (priority IN ('low', 'normal', 'urgent')),
    headnode         TEXT    NOT NULL,
    group_name       TEXT,              -- asked for; NULL: any
    gpus             INTEGER NOT NULL,  -- how many are asked for
    files            INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    digest           TEXT,
    fingerprint      TEXT,
    folder           TEXT,              -- tells the folder from a later one of the same name
    prior_case       TEXT,              -- the case that had this name before
    prior_digest     TEXT,
    last_change_path TEXT,
    last_change_at   TEXT,
    settles_at       TEXT,              -- when it may be complete by the mere passing of time
    accepted_at      TEXT,              -- a person said to start without what is missing
    accepted_by      TEXT,
    accepted_reason  TEXT,
    changed_since    TEXT,              -- the folder changed after it was handed over
    changed_path     TEXT,
    vanished_at      TEXT,
    attempt_id       TEXT REFERENCES attempts (id),  -- the one under way, or the last word
    end_how          TEXT CHECK (end_how IN ('recorded', 'observed', 'never_ran', 'superseded', 'abandoned')),
    ended_at         TEXT,              -- the end of its job that counts
    exit_code        INTEGER,
    signal           INTEGER,
    failure          TEXT CHECK (failure IN ('exit', 'missing', 'limit')),
    rejected_by      TEXT CHECK (rejected_by IN ('folder', 'entry', 'demand')),
    problems         TEXT,              -- rejected: what to correct; failed: expected outputs not there
    error_class      TEXT CHECK (error_class IN (
                         'transient_host', 'transient_step', 'no_space', 'throttled', 'ambiguous',
                         'fatal_host', 'fatal_case', 'needs_person')),
    error            TEXT,              -- of the step that does not succeed at present
    first_seen       TEXT    NOT NULL,
    ready_at         TEXT,
    started_at       TEXT,
    finished_at      TEXT,
    updated_at       TEXT    NOT NULL,
    version          INTEGER NOT NULL,  -- raised by every change that is in the journal
    planned_version  INTEGER,           -- the version that `because` speaks of
    pruned           INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1)),  -- its journal is gone
    params           TEXT,              -- a JSON object: from case.yaml, for its job
    notify           TEXT,              -- a JSON list: from case.yaml, who is to be told
    rule             TEXT,              -- which rule of the configuration chose for it
    priority_by      TEXT,              -- who chose its priority by hand
    manifest_name    TEXT,              -- the list of checksums that was last compared
    manifest_fingerprint TEXT,          -- with these files
    manifest_problems TEXT,             -- what did not agree; NULL: not compared yet
    workset          TEXT,              -- a JSON object: how the pipeline of a workset is run
    UNIQUE (intake, name, arrival),
    CHECK ((hold IS NULL) = (hold_why IS NULL)
        AND (hold IS NULL) = (hold_since IS NULL)
        AND (hold IS NULL) = (hold_by IS NULL)),
    CHECK ((last_change_path IS NULL) = (last_change_at IS NULL)),
    CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CHECK ((changed_since IS NULL) = (changed_path IS NULL)),
    CHECK ((end_how IS NULL) = (ended_at IS NULL)),
    CHECK ((end_how IS NULL) = (state NOT IN ('returning', 'succeeded', 'failed'))),
    CHECK ((failure IS NULL) = (state <> 'failed')),
    CHECK ((rejected_by IS NULL) = (state <> 'rejected')),
    CHECK ((error_class IS NULL) = (error IS NULL)),
    CHECK (CASE
               WHEN state IN ('arriving', 'ready', 'rejected') THEN attempt_id IS NULL
               WHEN state = 'cancelled' THEN TRUE
               ELSE attempt_id IS NOT NULL
           END)
) STRICT;

-- No tick may touch a finished case: what is looked at often is in partial indexes.
CREATE INDEX cases_live ON cases (state) WHERE state NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX cases_unplanned ON cases (id) WHERE planned_version IS NOT version;
CREATE INDEX cases_wake ON cases (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX cases_finished ON cases (finished_at) WHERE state IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX cases_prunable ON cases (finished_at)
    WHERE pruned = 0 AND state IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX cases_updated ON cases (updated_at, id);
CREATE INDEX cases_name ON cases (name, intake, arrival);

-- One try at running a case each.
CREATE TABLE attempts (
    id               TEXT PRIMARY KEY,  -- dw-<ulid>, also the label in the queue
    case_id          TEXT    NOT NULL REFERENCES cases (id),
    number           INTEGER NOT NULL CHECK (number >= 1),
    headnode         TEXT    NOT NULL,
    group_name       TEXT,              -- of its slots, kept when they are given back
    slots            TEXT,              -- likewise, with their devices
    gpus             TEXT,              -- likewise, what CUDA_VISIBLE_DEVICES says
    tenure           TEXT    NOT NULL CHECK (tenure IN ('none', 'reserved', 'quarantined')),
    tenure_since     TEXT,
    tenure_because   TEXT,
    work_dir         TEXT    NOT NULL,
    remote_dir       TEXT    NOT NULL,
    attempt_dir      TEXT    NOT NULL,
    queue            TEXT    NOT NULL CHECK (queue IN ('direct', 'pueue')),
    owner            TEXT    NOT NULL,
    command          TEXT    NOT NULL,
    config_hash      TEXT    NOT NULL,
    task_id          TEXT,              -- for people; the queue gives it out again
    made_at          TEXT    NOT NULL,
    intent_at        TEXT,
    submitted_at     TEXT,
    queued_at        TEXT,
    started_at       TEXT,
    ended_at         TEXT,
    seen_at          TEXT,
    absent_polls     INTEGER NOT NULL DEFAULT 0,
    claimed_by       TEXT CHECK (claimed_by IN ('job', 'daemon')),
    giving_up        TEXT CHECK (giving_up IN ('new_attempt', 'hold', 'retry')),  -- once the claim is ours
    silence_first    TEXT,              -- neither process nor end record, first and last reading
    silence_last     TEXT,
    silence_rebooted INTEGER CHECK (silence_rebooted IN (0, 1)),
    silence_partial  INTEGER CHECK (silence_partial IN (0, 1)),
    ending           TEXT CHECK (ending IN ('cancel', 'limit', 'left_overs')),
    ending_at        TEXT,
    ending_by        TEXT,
    ending_reason    TEXT,
    ending_sent      TEXT CHECK (ending_sent IN ('terminate', 'kill_children', 'kill_all')),
    ending_sent_at   TEXT,
    end_how          TEXT CHECK (end_how IN ('recorded', 'observed', 'never_ran', 'superseded', 'abandoned')),
    exit_code        INTEGER,
    signal           INTEGER,
    exit_json        TEXT,
    result           TEXT CHECK (result IN ('succeeded', 'failed', 'cancelled', 'lost', 'superseded')),
    error            TEXT,
    stored_to        TEXT,              -- NULL with stored_files: they stay on the headnode
    stored_files     INTEGER,
    stored_bytes     INTEGER,
    stored_missing   TEXT,
    moved_to         TEXT,
    log_tail         TEXT,
    params           TEXT,              -- a JSON object: as its job got them
    stop             TEXT,              -- ends what its job leaves elsewhere, after an abnormal end
    stopping         TEXT CHECK (stopping IN ('due', 'done', 'waived')),  -- how far that is
    stopping_since   TEXT,
    cleaned_at       TEXT,              -- its data was removed from the headnode
    UNIQUE (case_id, number),
    CHECK ((tenure = 'none') = (tenure_since IS NULL)),
    CHECK ((tenure = 'quarantined') = (tenure_because IS NOT NULL)),
    CHECK (tenure = 'none' OR slots IS NOT NULL),
    CHECK ((silence_first IS NULL) = (silence_last IS NULL)
        AND (silence_first IS NULL) = (silence_rebooted IS NULL)
        AND (silence_first IS NULL) = (silence_partial IS NULL)),
    CHECK ((ending IS NULL) = (ending_at IS NULL) AND (ending IS NULL) = (ending_by IS NULL)),
    CHECK ((ending_sent IS NULL) = (ending_sent_at IS NULL)),
    CHECK ((end_how IS NULL) = (ended_at IS NULL)),
    CHECK ((stored_files IS NULL) = (stored_bytes IS NULL)
        AND (stored_files IS NULL) = (stored_missing IS NULL)
        AND (stored_files IS NULL) = (log_tail IS NULL))
) STRICT;

CREATE INDEX attempts_uncleaned ON attempts (ended_at) WHERE cleaned_at IS NULL AND ended_at IS NOT NULL;

-- The places of each queue group. A slot is given by an UPDATE that must find it free.
CREATE TABLE slots (
    headnode   TEXT    NOT NULL,
    group_name TEXT    NOT NULL,
    slot       INTEGER NOT NULL CHECK (slot >= 0),
    gpu        TEXT,
    state      TEXT    NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'reserved', 'quarantined')),
    attempt_id TEXT REFERENCES attempts (id),
    since      TEXT,
    because    TEXT,
    draining   INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),  -- no longer configured, still taken
    next_gpu   TEXT,                    -- what gpu becomes when the slot is given back
    PRIMARY KEY (headnode, group_name, slot),
    CHECK ((state = 'free') = (attempt_id IS NULL)),
    CHECK ((state = 'free') = (since IS NULL)),
    CHECK (draining = 0 OR state <> 'free')
) STRICT, WITHOUT ROWID;

CREATE INDEX slots_taken ON slots (attempt_id) WHERE attempt_id IS NOT NULL;

-- The work going on for a case: how far it is, and what keeps it from succeeding.
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
    rate         INTEGER,               -- bytes per second
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

-- What must hold before a case is complete.
CREATE TABLE conditions (
    case_id    TEXT    NOT NULL REFERENCES cases (id),
    name       TEXT    NOT NULL CHECK (name IN (
                   'content', 'quiet', 'no_writers', 'unfinished', 'marker', 'manifest', 'checksums',
                   'new_content', 'start')),
    position   INTEGER NOT NULL,        -- the order in which they are told
    holds      INTEGER NOT NULL CHECK (holds IN (0, 1)),
    detail     TEXT    NOT NULL,
    since      TEXT    NOT NULL,
    checked_at TEXT,
    PRIMARY KEY (case_id, name)
) STRICT, WITHOUT ROWID;

-- Everything that was seen and changed a case, for ever: replaying it gives the case.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id    TEXT NOT NULL,           -- outlives the case
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    from_state TEXT,                    -- NULL: the case was not there
    to_state   TEXT,                    -- NULL: the case was dropped
    detail     TEXT NOT NULL,           -- the observation: {"v":1,...}
    note       TEXT                     -- why it changed nothing, or why the case was dropped
) STRICT;

CREATE INDEX journal_case ON journal (case_id, id);
CREATE INDEX journal_dropped ON journal (at) WHERE to_state IS NULL;

CREATE TRIGGER journal_append_only BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- Notices on their way to people.
CREATE TABLE outbox (
    key        TEXT PRIMARY KEY,        -- case/journal-id/channel
    state      TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    tries      INTEGER NOT NULL DEFAULT 0,
    not_before TEXT,
    error      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_waiting ON outbox (not_before) WHERE state = 'waiting';

-- What people ask for, written by other processes, done by the daemon.
CREATE TABLE requests (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    actor   TEXT NOT NULL,
    verb    TEXT NOT NULL,
    target  TEXT NOT NULL,
    args    TEXT NOT NULL,              -- a JSON object
    reason  TEXT,
    done_at TEXT,
    outcome TEXT,
    CHECK ((done_at IS NULL) = (outcome IS NULL))
) STRICT;

CREATE INDEX requests_open ON requests (id) WHERE done_at IS NULL;
CREATE INDEX requests_done ON requests (done_at) WHERE done_at IS NOT NULL;

-- Where everything is: all that is under way, and what finished in the last day.
CREATE VIEW board AS
SELECT c.intake,
       c.name || CASE WHEN c.arrival > 1 THEN '.' || c.arrival ELSE '' END AS name,
       c.state,
       CASE c.state
           WHEN 'arriving' THEN 'still arriving'
           WHEN 'ready' THEN 'waiting for a place'
           WHEN 'shipping' THEN 'copying'
           WHEN 'staged' THEN 'copied, waiting'
           WHEN 'submitting' THEN 'handing over'
           WHEN 'queued' THEN 'in the queue'
           WHEN 'returning' THEN 'fetching results'
           WHEN 'cancelling' THEN 'being cancelled'
           WHEN 'rejected' THEN 'needs correction'
           ELSE c.state
       END AS in_words,
       c.hold,
       c.because,
       strftime('%Y-%m-%d %H:%M:%S', c.state_since, 'localtime') AS since,
       CAST((julianday('now') - julianday(c.state_since)) * 86400 AS INTEGER) AS age_s,
       c.priority,
       c.headnode,
       a.group_name,
       a.gpus,
       c.files,
       c.bytes,
       c.attempt_id,
       c.id
FROM cases AS c
LEFT JOIN attempts AS a ON a.id = c.attempt_id
WHERE c.id IN (
    SELECT id FROM cases INDEXED BY cases_live
    WHERE state NOT IN ('succeeded', 'failed', 'cancelled')
    UNION ALL
    SELECT id FROM cases INDEXED BY cases_finished
    WHERE state IN ('succeeded', 'failed', 'cancelled')
      AND finished_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day'));

-- What does not move at present: for what it waits, and for how long.
CREATE VIEW waiting AS
SELECT c.intake,
       c.name || CASE WHEN c.arrival > 1 THEN '.' || c.arrival ELSE '' END AS name,
       CASE
           WHEN c.hold IS NOT NULL THEN 'a person'
           WHEN c.state = 'rejected' THEN 'a correction'
           WHEN c.error IS NOT NULL THEN 'another try'
           WHEN c.state = 'arriving' THEN 'its files'
           WHEN c.state = 'queued' THEN 'the queue'
           ELSE 'a place'
       END AS waits_for,
       c.because,
       strftime('%Y-%m-%d %H:%M:%S', coalesce(c.hold_since, c.state_since), 'localtime') AS since,
       CAST((julianday('now') - julianday(coalesce(c.hold_since, c.state_since))) * 86400 AS INTEGER) AS age_s,
       strftime('%Y-%m-%d %H:%M:%S', c.wake_at, 'localtime') AS looked_at_again,
       c.priority,
       c.state,
       c.id
FROM cases AS c INDEXED BY cases_live
WHERE c.state NOT IN ('succeeded', 'failed', 'cancelled')
  AND (c.state IN ('arriving', 'ready', 'staged', 'queued', 'rejected')
       OR c.hold IS NOT NULL
       OR c.error IS NOT NULL);

-- How long finished cases took, and where the time went.
CREATE VIEW turnaround AS
SELECT c.intake,
       c.name || CASE WHEN c.arrival > 1 THEN '.' || c.arrival ELSE '' END AS name,
       c.state,
       strftime('%Y-%m-%d %H:%M:%S', c.first_seen, 'localtime') AS first_seen,
       strftime('%Y-%m-%d %H:%M:%S', c.finished_at, 'localtime') AS finished,
       round((julianday(c.ready_at) - julianday(c.first_seen)) * 86400, 1) AS arriving_s,
       round((julianday(c.started_at) - julianday(c.ready_at)) * 86400, 1) AS until_start_s,
       round((julianday(c.ended_at) - julianday(c.started_at)) * 86400, 1) AS running_s,
       round((julianday(c.finished_at) - julianday(c.ended_at)) * 86400, 1) AS returning_s,
       round((julianday(c.finished_at) - julianday(c.ready_at)) * 86400, 1) AS total_s,
       round((julianday('now') - julianday(c.finished_at)) * 86400, 1) AS age_s,
       a.number AS attempts,
       c.exit_code,
       a.stored_to AS results,
       c.id
FROM cases AS c
LEFT JOIN attempts AS a ON a.id = c.attempt_id
WHERE c.state IN ('succeeded', 'failed', 'cancelled');

-- Secrets, connections to where bills lie, what was fetched from there, and the jobs that did it.

-- The account's own key, wrapped by a master key that is never in here; `master` says by which.
CREATE TABLE vault_key (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL CHECK (id <> ''),
    master     TEXT    NOT NULL CHECK (master <> ''),
    wrapped    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- A secret: `sealed` holds its data key under the account's key, and its value under its data key.
CREATE TABLE credential (
    account     TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    name        TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    kind        TEXT    NOT NULL CHECK (kind <> ''),
    owner       TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL, -- of the value, keyed: equal values can be told, nothing else
    sealed      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    rotated_ms  INTEGER NOT NULL,
    used_ms     INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL, -- a reminder; -1: none
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Who uses a secret: it cannot be deleted meanwhile.
CREATE TABLE credential_use (
    account       TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    what          TEXT NOT NULL CHECK (what <> ''), -- "connection"
    object_id     TEXT NOT NULL,
    object_name   TEXT NOT NULL,
    PRIMARY KEY (account, credential_id, what, object_id),
    FOREIGN KEY (account, credential_id) REFERENCES credential (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE connection (
    account       TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    name          TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    source        TEXT    NOT NULL CHECK (source <> ''), -- the source its bills are loaded as
    kind          TEXT    NOT NULL CHECK (kind <> ''),
    config        TEXT    NOT NULL, -- JSON object of texts, no secret among them
    credential_id TEXT    NOT NULL, -- empty: needs none
    schedule      TEXT    NOT NULL, -- cron; empty: only when asked
    paused        INTEGER NOT NULL CHECK (paused IN (0, 1)),
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'connected', 'error', 'inactive')),
    error         TEXT    NOT NULL,
    failures      INTEGER NOT NULL, -- in a row
    created_by    TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    last_run_ms   INTEGER NOT NULL,
    last_ok_ms    INTEGER NOT NULL,
    next_run_ms   INTEGER NOT NULL, -- -1: none is planned
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX connection_due ON connection (account, next_run_ms);

-- What was taken from a connection: one version of one scope (a billing period, or a file that is appended).
CREATE TABLE delivery (
    account       TEXT    NOT NULL,
    connection_id TEXT    NOT NULL,
    scope         TEXT    NOT NULL,
    version       TEXT    NOT NULL, -- what identifies its content: assembly, run, ETags
    seq           TEXT    NOT NULL, -- in text order: an earlier one that arrives late is older
    files         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    load_id       INTEGER NOT NULL, -- 0: none (an equal load was there)
    loaded_ms     INTEGER NOT NULL,
    PRIMARY KEY (account, connection_id, scope, version),
    FOREIGN KEY (account, connection_id) REFERENCES connection (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Every run, from the moment it is asked for. A lease says who runs it; one that ended without a word is taken over.
CREATE TABLE job (
    account       TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('load', 'reload', 'fetch')),
    connection_id TEXT    NOT NULL, -- empty: none
    source        TEXT    NOT NULL,
    file          TEXT    NOT NULL,
    path          TEXT    NOT NULL, -- of a staged upload; empty: none
    load_id       INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    by            TEXT    NOT NULL, -- who asked; "schedule"
    attempts      INTEGER NOT NULL,
    lease_by      TEXT    NOT NULL,
    heartbeat_ms  INTEGER NOT NULL,
    rows          INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    bytes_total   INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    started_ms    INTEGER NOT NULL,
    ended_ms      INTEGER NOT NULL,
    message       TEXT    NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_connection ON job (account, connection_id, created_ms);
CREATE INDEX job_open ON job (account, state);

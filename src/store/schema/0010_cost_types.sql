-- A job may make FairShare cost anew: SQLite changes no check, so the table is made again.

CREATE TABLE job_next (
    account       TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('load', 'reload', 'fetch', 'fairshare')),
    connection_id TEXT    NOT NULL, -- empty: none
    source        TEXT    NOT NULL,
    file          TEXT    NOT NULL, -- of a fairshare: how wide
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
INSERT INTO job_next SELECT * FROM job;
DROP TABLE job;
ALTER TABLE job_next RENAME TO job;
CREATE INDEX job_connection ON job (account, connection_id, created_ms);
CREATE INDEX job_open ON job (account, state);

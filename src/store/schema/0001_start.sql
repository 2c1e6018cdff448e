-- What an installation knows: who may come in, what was loaded, what people saved.
-- Every table of an account's data begins with `account`; every key and every foreign key begins with it too,
-- so a row of one account can never hang on a row of another. Times are epoch milliseconds UTC, -1 is "never".

CREATE TABLE account (
    id                TEXT    NOT NULL PRIMARY KEY,
    name              TEXT    NOT NULL,
    currency          TEXT    NOT NULL,
    default_cost_type TEXT    NOT NULL,
    created_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    account       TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    email         TEXT    NOT NULL COLLATE NOCASE CHECK (email <> ''),
    name          TEXT    NOT NULL,
    password      TEXT    NOT NULL, -- Argon2id; empty: none set yet
    role          TEXT    NOT NULL CHECK (role <> ''),
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_ms    INTEGER NOT NULL,
    last_login_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE signin (
    account    TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    user_id    TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL,
    PRIMARY KEY (account, hash),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX signin_user ON signin (account, user_id);

CREATE TABLE session (
    account    TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    user_id    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    ip         TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (account, hash),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (account, user_id);
CREATE INDEX session_expires ON session (account, expires_ms);

CREATE TABLE token (
    account      TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id           TEXT    NOT NULL,
    client_id    TEXT    NOT NULL,
    secret_hash  TEXT    NOT NULL CHECK (length(secret_hash) = 64),
    description  TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role <> ''),
    created_by   TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    revoked_ms   INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, client_id)
) STRICT, WITHOUT ROWID;

-- Names are compared without case: "AWS" and "aws" as two sources would count one bill twice.
CREATE TABLE source (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    created_ms INTEGER NOT NULL,
    UNIQUE (account, name),
    UNIQUE (account, id)
) STRICT;

CREATE TABLE load (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account      TEXT    NOT NULL,
    source_id    INTEGER NOT NULL,
    format       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN
                     ('running', 'live', 'replaced', 'failed', 'cancelled', 'unchanged')),
    error        TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    rows         INTEGER NOT NULL,
    rejected     INTEGER NOT NULL,
    started_ms   INTEGER NOT NULL,
    finished_ms  INTEGER NOT NULL,
    files        TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    UNIQUE (account, id),
    FOREIGN KEY (account, source_id) REFERENCES source (account, id)
) STRICT;
CREATE INDEX load_source ON load (account, source_id, content_hash);

CREATE TABLE part (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    account   TEXT    NOT NULL,
    load_id   INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    period    INTEGER NOT NULL, -- first day of the billing month, days since 1970-01-01
    rows      INTEGER NOT NULL CHECK (rows >= 0),
    live      INTEGER NOT NULL CHECK (live IN (0, 1)),
    UNIQUE (account, load_id, period),
    FOREIGN KEY (account, load_id) REFERENCES load (account, id),
    FOREIGN KEY (account, source_id) REFERENCES source (account, id)
) STRICT;
-- The rule the whole ledger stands on: one live part for a source and a period.
CREATE UNIQUE INDEX part_live ON part (account, source_id, period) WHERE live = 1;
CREATE INDEX part_source ON part (account, source_id, period);

CREATE TABLE total (
    account  TEXT    NOT NULL,
    load_id  INTEGER NOT NULL,
    step     TEXT    NOT NULL CHECK (step IN ('file', 'archive', 'ledger')),
    currency TEXT    NOT NULL,
    col      TEXT    NOT NULL,
    day      INTEGER NOT NULL,
    nvalue   INTEGER NOT NULL,
    sum      TEXT    NOT NULL, -- exact decimal
    PRIMARY KEY (account, load_id, step, currency, day, col),
    FOREIGN KEY (account, load_id) REFERENCES load (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE view (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Not WITHOUT ROWID: a result may be large, and being the last column it is not read unless asked for.
CREATE TABLE cost_query (
    account      TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id           TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed')),
    error        TEXT    NOT NULL,
    rows         INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    completed_ms INTEGER NOT NULL,
    request      TEXT    NOT NULL,
    result       TEXT    NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;
CREATE INDEX cost_query_created ON cost_query (account, created_ms);

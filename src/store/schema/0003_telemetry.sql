-- Telemetry: daily series that say how shared costs are split. A point belongs to the file that brought it, so a file that
-- comes again replaces exactly what it owned; what is read is the sum over files. telemetry_day keeps the version in which
-- a day last changed, also when its last point went: that is how readers know what to read again.

CREATE TABLE telemetry (
    account     TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    name        TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    type        TEXT    NOT NULL,
    body        TEXT    NOT NULL, -- JSON: field, additionalFields, metricNames, unit, data
    is_active   INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    error       TEXT    NOT NULL, -- of the last refresh; empty: it went well
    created_by  TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, -- when points last came
    version     INTEGER NOT NULL, -- grows with every change of points
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE telemetry_file (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account     TEXT    NOT NULL,
    telemetry   TEXT    NOT NULL,
    name        TEXT    NOT NULL, -- file name; "push", "prometheus": what comes without one
    hash        TEXT    NOT NULL, -- 64 hex of the content; empty: none
    detail      TEXT    NOT NULL, -- JSON: what was read, refused and warned of
    received_ms INTEGER NOT NULL,
    UNIQUE (account, telemetry, name),
    FOREIGN KEY (account, telemetry) REFERENCES telemetry (account, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX telemetry_file_hash ON telemetry_file (account, telemetry, hash);

CREATE TABLE telemetry_point (
    account   TEXT    NOT NULL,
    telemetry TEXT    NOT NULL,
    metric    TEXT    NOT NULL,
    day       INTEGER NOT NULL, -- days since 1970-01-01
    key       TEXT    NOT NULL, -- values of the fields in order, 0x1f between them
    file      INTEGER NOT NULL REFERENCES telemetry_file (id) ON DELETE CASCADE,
    amount    TEXT    NOT NULL, -- exact decimal, as given
    PRIMARY KEY (account, telemetry, metric, day, key, file),
    FOREIGN KEY (account, telemetry) REFERENCES telemetry (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX telemetry_point_file ON telemetry_point (file);

CREATE TABLE telemetry_day (
    account   TEXT    NOT NULL,
    telemetry TEXT    NOT NULL,
    day       INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (account, telemetry, day),
    FOREIGN KEY (account, telemetry) REFERENCES telemetry (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

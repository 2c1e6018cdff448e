-- Virtual tags with their versions, the rows of dictionaries; costs that people enter or upload themselves.
-- '' is "none" for ids and hashes.

CREATE TABLE tag_folder (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- `live` and `staged` name versions; `name` is the live one's. A deleted tag stays for an hour, to be brought back.
CREATE TABLE tag (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    folder_id  TEXT    NOT NULL,
    live       TEXT    NOT NULL,
    staged     TEXT    NOT NULL,
    acl        TEXT    NOT NULL, -- {"read","write"}
    metadata   TEXT    NOT NULL, -- value -> {groups, customMetadata, endpoints}
    feed_mark  TEXT    NOT NULL, -- what was read last: time and size of a file, day of a URL
    feed_error TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    updated_ms INTEGER NOT NULL,
    deleted_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;
CREATE UNIQUE INDEX tag_name ON tag (account, name) WHERE deleted_ms < 0;

CREATE TABLE tag_version (
    account    TEXT    NOT NULL,
    tag_id     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    change     TEXT    NOT NULL,
    rows_hash  TEXT    NOT NULL, -- of tag_rows
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    document   TEXT    NOT NULL,
    PRIMARY KEY (account, tag_id, id),
    FOREIGN KEY (account, tag_id) REFERENCES tag (account, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX tag_version_created ON tag_version (account, tag_id, created_ms);

-- Rows of dictionaries and hierarchies by their content: versions with the same rows share them.
CREATE TABLE tag_rows (
    account TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash    TEXT    NOT NULL CHECK (length(hash) = 32),
    n       INTEGER NOT NULL CHECK (n >= 0),
    body    BLOB    NOT NULL, -- CSV, zstd
    PRIMARY KEY (account, hash)
) STRICT;

-- A cost entered by form. Every change adds a row: the newest of an entry counts, an empty body is "deleted".
CREATE TABLE cost_entry (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX cost_entry_id ON cost_entry (account, id, n);

-- A custom cost center: files of costs, each a source of loads of its own.
CREATE TABLE custom_center (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    body       TEXT    NOT NULL, -- {"mapping", "kind"}
    error      TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE custom_file (
    account    TEXT    NOT NULL,
    center_id  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    mark       TEXT    NOT NULL, -- time and size of the file in the drop folder
    rows       INTEGER NOT NULL,
    first_day  INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    removed    INTEGER NOT NULL CHECK (removed IN (0, 1)),
    PRIMARY KEY (account, center_id, name),
    FOREIGN KEY (account, center_id) REFERENCES custom_center (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

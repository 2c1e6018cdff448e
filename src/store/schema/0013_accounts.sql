-- The other accounts of an installation, kept in the first one's meta.db: each has a folder of its own, accounts/ID.
CREATE TABLE account_place (
    account    TEXT    NOT NULL, -- the first one
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;
-- Who is a member of which: a directory, to list them. Whether somebody may is asked of the account itself, each time.
CREATE TABLE account_member (
    account TEXT NOT NULL,
    place   TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (account, place, user_id),
    FOREIGN KEY (account, place) REFERENCES account_place (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_member_user ON account_member (account, user_id);
-- Which account a session is in; empty: the first one.
ALTER TABLE session ADD COLUMN account_at TEXT NOT NULL DEFAULT '';

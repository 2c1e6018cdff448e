-- Who may see and do what: roles, groups with their row rules, object access lists, invitations, second factors,
-- the audit log. As before, every key begins with `account`.

-- A person: invited -> active -> (locked | disabled); deleted ones are gone, the audit log keeps id and name.
ALTER TABLE user ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('invited', 'active', 'locked', 'disabled'));
ALTER TABLE user ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE user ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'local'; -- who makes and changes it: local, saml, oidc, scim2
ALTER TABLE user ADD COLUMN joined_ms INTEGER NOT NULL DEFAULT -1;    -- when the person set a password or came by sign-on
ALTER TABLE user ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';
ALTER TABLE user ADD COLUMN totp TEXT NOT NULL DEFAULT '';            -- sealed seed; empty: no second factor
ALTER TABLE user ADD COLUMN totp_step INTEGER NOT NULL DEFAULT -1;    -- the last time step a code was taken of
UPDATE user SET state = CASE WHEN disabled = 1 THEN 'disabled' WHEN password = '' THEN 'invited' ELSE 'active' END,
                joined_ms = CASE WHEN password = '' THEN -1 ELSE created_ms END;

CREATE TABLE role ( -- the account's own; the default roles are compiled in
    account     TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    name        TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    description TEXT    NOT NULL,
    level       INTEGER NOT NULL CHECK (level BETWEEN 0 AND 32767), -- lower is stronger
    perms       TEXT    NOT NULL, -- names with a space between
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_role (
    account TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role    TEXT NOT NULL CHECK (role <> ''), -- key of a default role, or id of an own one
    PRIMARY KEY (account, user_id, role),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO user_role (account, user_id, role) SELECT account, id, role FROM user;
ALTER TABLE user DROP COLUMN role;
ALTER TABLE user DROP COLUMN disabled;

CREATE TABLE team ( -- what the page calls a group
    account      TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    description  TEXT    NOT NULL,
    color        TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    managed_by   TEXT    NOT NULL,
    is_admin     INTEGER NOT NULL CHECK (is_admin IN (0, 1)),     -- the Admin Group: sees everything, is never empty
    data_access  INTEGER NOT NULL CHECK (data_access IN (0, 1)),  -- 0: gives roles, no rows
    unrestricted INTEGER NOT NULL CHECK (unrestricted IN (0, 1)), -- 1: sees everything
    filter       TEXT    NOT NULL, -- filter object (api.md 6), empty: none, which is no row
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE team_role (
    account TEXT NOT NULL,
    team_id TEXT NOT NULL,
    role    TEXT NOT NULL CHECK (role <> ''),
    PRIMARY KEY (account, team_id, role),
    FOREIGN KEY (account, team_id) REFERENCES team (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
-- A membership by sign-on is apart from one by hand: the identity provider takes away only what it gave.
CREATE TABLE team_member (
    account TEXT NOT NULL,
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    source  TEXT NOT NULL CHECK (source IN ('manual', 'sso', 'scim')),
    PRIMARY KEY (account, team_id, user_id, source),
    FOREIGN KEY (account, team_id) REFERENCES team (account, id) ON DELETE CASCADE,
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX team_member_user ON team_member (account, user_id);
CREATE TABLE team_claim ( -- names of the identity provider's groups, exact and case-sensitive
    account TEXT NOT NULL,
    team_id TEXT NOT NULL,
    name    TEXT NOT NULL CHECK (name <> ''),
    PRIMARY KEY (account, team_id, name),
    FOREIGN KEY (account, team_id) REFERENCES team (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Tokens: of the account, or of one person (then it dies with the person).
CREATE TABLE token_next (
    account         TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id              TEXT    NOT NULL,
    client_id       TEXT    NOT NULL,
    secret_hash     TEXT    NOT NULL CHECK (length(secret_hash) = 64),
    old_hash        TEXT    NOT NULL, -- the secret before a rotation; empty: none
    old_until_ms    INTEGER NOT NULL,
    description     TEXT    NOT NULL,
    user_id         TEXT,             -- NULL: the account's
    data            TEXT    NOT NULL CHECK (data IN ('all', 'teams', 'user')), -- whose rows
    ip_allow        TEXT    NOT NULL, -- addresses and networks with a space between; empty: any
    created_by      TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    revoked_ms      INTEGER NOT NULL,
    last_used_ms    INTEGER NOT NULL,
    last_used_ip    TEXT    NOT NULL,
    last_used_route TEXT    NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, client_id),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE,
    CHECK ((user_id IS NULL) = (data <> 'user'))
) STRICT, WITHOUT ROWID;
CREATE TABLE token_role (
    account  TEXT NOT NULL,
    token_id TEXT NOT NULL,
    role     TEXT NOT NULL CHECK (role <> ''),
    PRIMARY KEY (account, token_id, role),
    FOREIGN KEY (account, token_id) REFERENCES token_next (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO token_next SELECT account, id, client_id, secret_hash, '', -1, description, NULL, 'all', '', created_by,
    created_ms, expires_ms, revoked_ms, last_used_ms, '', '' FROM token;
INSERT INTO token_role (account, token_id, role) SELECT account, id, role FROM token;
DROP TABLE token;
ALTER TABLE token_next RENAME TO token;
CREATE INDEX token_user ON token (account, user_id);
CREATE TABLE token_team (
    account  TEXT NOT NULL,
    token_id TEXT NOT NULL,
    team_id  TEXT NOT NULL,
    PRIMARY KEY (account, token_id, team_id),
    FOREIGN KEY (account, token_id) REFERENCES token (account, id) ON DELETE CASCADE,
    FOREIGN KEY (account, team_id) REFERENCES team (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX token_team_team ON token_team (account, team_id);

-- Sessions turn their secret over; the one before is good until the new one was used, and a little longer.
ALTER TABLE session ADD COLUMN old_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN old_until_ms INTEGER NOT NULL DEFAULT -1; -- -1: the new one was not used yet
ALTER TABLE session ADD COLUMN turned_ms INTEGER NOT NULL DEFAULT -1;
ALTER TABLE session ADD COLUMN proved_ms INTEGER NOT NULL DEFAULT -1;    -- when the person last gave a password or code
ALTER TABLE session ADD COLUMN view_as TEXT NOT NULL DEFAULT '';         -- id of the user whose eyes are borrowed
UPDATE session SET turned_ms = created_ms, proved_ms = created_ms;
CREATE INDEX session_old ON session (account, old_hash);

ALTER TABLE signin ADD COLUMN kind TEXT NOT NULL DEFAULT 'link' CHECK (kind IN ('link', 'invite', 'reset'));
ALTER TABLE signin ADD COLUMN created_ms INTEGER NOT NULL DEFAULT -1;

CREATE TABLE join_link ( -- anybody who opens it joins
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    roles      TEXT    NOT NULL, -- with a space between
    domains    TEXT    NOT NULL, -- of e-mail addresses, with a space between; empty: any
    most       INTEGER NOT NULL,
    used       INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
    account TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    place   INTEGER NOT NULL,
    hash    TEXT    NOT NULL, -- Argon2id
    PRIMARY KEY (account, user_id, place),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE challenge ( -- a password was right, a code is still wanted
    account    TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    user_id    TEXT    NOT NULL,
    tries      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (account, hash),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE device ( -- a browser somebody signed in with before
    account    TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    user_id    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    trusted_ms INTEGER NOT NULL, -- no code is asked of it until then
    PRIMARY KEY (account, hash, user_id),
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Access of one object of any kind. No row: from before access lists, open to all whose role allows.
CREATE TABLE acl (
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind <> ''),
    id      TEXT NOT NULL,
    owner   TEXT NOT NULL, -- id of the user or token that made it; empty: the administrators'
    reads   TEXT NOT NULL CHECK (reads IN ('public', 'private', 'shared')),
    writes  TEXT NOT NULL CHECK (writes IN ('public', 'private', 'shared')),
    PRIMARY KEY (account, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX acl_owner ON acl (account, owner);
CREATE TABLE acl_entry (
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    axis    TEXT NOT NULL CHECK (axis IN ('read', 'write')),
    user_id TEXT,
    team_id TEXT,
    FOREIGN KEY (account, kind, id) REFERENCES acl (account, kind, id) ON DELETE CASCADE,
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE,
    FOREIGN KEY (account, team_id) REFERENCES team (account, id) ON DELETE CASCADE,
    CHECK ((user_id IS NULL) <> (team_id IS NULL))
) STRICT;
CREATE INDEX acl_entry_object ON acl_entry (account, kind, id);
CREATE INDEX acl_entry_user ON acl_entry (account, user_id);
CREATE INDEX acl_entry_team ON acl_entry (account, team_id);

-- A submitted query belongs to who submitted it, and to what that one could see then.
ALTER TABLE cost_query ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE cost_query ADD COLUMN scope TEXT NOT NULL DEFAULT '';

-- Append-only: each record carries the hash of the one before and its own over both.
CREATE TABLE audit (
    account     TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    actor_kind  TEXT    NOT NULL,
    actor_id    TEXT    NOT NULL,
    actor_name  TEXT    NOT NULL,
    roles       TEXT    NOT NULL,
    behalf      TEXT    NOT NULL, -- id of the user whose eyes or token were used
    source      TEXT    NOT NULL,
    ip          TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    object_type TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    object_name TEXT    NOT NULL,
    before      TEXT    NOT NULL, -- JSON, or empty
    after       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    severity    TEXT    NOT NULL CHECK (severity IN ('info', 'medium', 'high', 'critical')),
    prev_hash   TEXT    NOT NULL,
    hash        TEXT    NOT NULL CHECK (length(hash) = 64),
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_object ON audit (account, object_type, object_id);
CREATE INDEX audit_actor ON audit (account, actor_id);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

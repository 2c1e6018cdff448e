-- Single sign-on and provisioning: connections to identity providers, who a person is there, texts that are good
-- once, and the keys of SCIM clients.

CREATE TABLE idp ( -- a connection to an identity provider
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('oidc', 'saml')),
    name       TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    state      TEXT    NOT NULL CHECK (state IN ('draft', 'enabled', 'disabled')), -- draft: administrators may test it
    config     TEXT    NOT NULL, -- JSON object of the kind's fields
    secret     TEXT    NOT NULL, -- sealed; empty: none
    created_by TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL, -- when somebody last signed in by it; -1: never
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Domains of e-mail addresses that a connection speaks for, each proved by a TXT record.
CREATE TABLE idp_domain (
    account     TEXT    NOT NULL,
    domain      TEXT    NOT NULL CHECK (domain <> ''), -- lower case
    idp_id      TEXT    NOT NULL,
    token       TEXT    NOT NULL, -- what the record must say
    verified_ms INTEGER NOT NULL, -- -1: not proved
    checked_ms  INTEGER NOT NULL, -- -1: never looked
    lost_ms     INTEGER NOT NULL, -- since when the record is gone again; -1: it is there
    PRIMARY KEY (account, domain),
    FOREIGN KEY (account, idp_id) REFERENCES idp (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A person is (issuer, subject) at a connection, and nothing else: neither an e-mail address nor a name.
CREATE TABLE identity (
    account    TEXT    NOT NULL,
    idp_id     TEXT    NOT NULL,
    issuer     TEXT    NOT NULL CHECK (issuer <> ''),
    subject    TEXT    NOT NULL CHECK (subject <> ''),
    user_id    TEXT    NOT NULL,
    email      TEXT    NOT NULL, -- as the provider said last
    roles      TEXT    NOT NULL, -- what the last sign-in gave, with a space between
    approved   INTEGER NOT NULL CHECK (approved IN (0, 1)), -- 0: waits for the person or an administrator
    created_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL,
    PRIMARY KEY (account, idp_id, issuer, subject),
    FOREIGN KEY (account, idp_id) REFERENCES idp (account, id) ON DELETE CASCADE,
    FOREIGN KEY (account, user_id) REFERENCES user (account, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_user ON identity (account, user_id);

-- Texts that are good once: states of a sign-in under way, ids of assertions seen, outcomes of a test.
CREATE TABLE once (
    account    TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL CHECK (kind <> ''),
    hash       TEXT    NOT NULL CHECK (length(hash) = 64),
    data       TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (account, kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_expires ON once (account, expires_ms);

-- How a session came about: which connection, and the names by which the provider ends it.
ALTER TABLE session ADD COLUMN idp_id TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN idp_subject TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN idp_session TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN idp_hint TEXT NOT NULL DEFAULT ''; -- sealed; what a sign-out there wants to be shown

-- Clients that provision users and groups by SCIM: only the hash of a key is kept.
CREATE TABLE scim_client (
    account      TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL COLLATE NOCASE CHECK (name <> ''),
    hash         TEXT    NOT NULL CHECK (length(hash) = 64),
    old_hash     TEXT    NOT NULL, -- the key before a rotation; empty: none
    old_until_ms INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    created_ms   INTEGER NOT NULL,
    used_ms      INTEGER NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- What a SCIM client calls a user or a group of ours.
CREATE TABLE scim_ref (
    account     TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL CHECK (kind IN ('user', 'group')),
    id          TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    updated_ms  INTEGER NOT NULL,
    PRIMARY KEY (account, kind, id)
) STRICT, WITHOUT ROWID;

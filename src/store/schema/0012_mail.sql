-- Mail that waits to be sent, and what became of it. The text is sealed and goes when the message is sent or given up.
CREATE TABLE mail (
    account    TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    error      TEXT    NOT NULL,
    tries      INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    next_ms    INTEGER NOT NULL, -- when it is tried next
    expires_ms INTEGER NOT NULL, -- not sent after this
    done_ms    INTEGER NOT NULL, -- -1: it waits
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_waiting ON mail (account, state, next_ms);

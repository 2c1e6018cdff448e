-- What a provider's invoice says, as somebody entered it: the ledger is held against it.
CREATE TABLE invoice (
    account    TEXT    NOT NULL,
    source_id  INTEGER NOT NULL,
    period     INTEGER NOT NULL, -- first day of the billing month, days since 1970-01-01
    currency   TEXT    NOT NULL CHECK (currency <> ''),
    number     TEXT    NOT NULL CHECK (number <> ''),
    amount     TEXT    NOT NULL, -- exact decimal
    note       TEXT    NOT NULL,
    entered_by TEXT    NOT NULL,
    entered_ms INTEGER NOT NULL,
    PRIMARY KEY (account, source_id, period, currency, number),
    FOREIGN KEY (account, source_id) REFERENCES source (account, id)
) STRICT, WITHOUT ROWID;

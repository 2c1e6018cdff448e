-- What one currency was worth in another from a day on, as somebody entered it. A row is never changed: it ends, and
-- another one says what holds from then on, so that every state of the table can be seen again.
CREATE TABLE rate (
    account         TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    id              INTEGER NOT NULL,
    currency        TEXT    NOT NULL CHECK (currency <> ''),
    target          TEXT    NOT NULL CHECK (target <> '' AND target <> currency),
    day             INTEGER NOT NULL, -- days since 1970-01-01; of an invoice: the first of its month
    billing_account TEXT    NOT NULL, -- of an invoice: whose; empty: a rate of the day
    invoice         TEXT    NOT NULL, -- its number
    rate            TEXT    NOT NULL, -- exact decimal: 1 of currency is so much of target
    origin          TEXT    NOT NULL CHECK (origin IN ('form', 'csv', 'invoice')),
    entered_by      TEXT    NOT NULL,
    entered_ms      INTEGER NOT NULL,
    ended_by        TEXT    NOT NULL,
    ended_ms        INTEGER NOT NULL, -- -1: it holds
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rate_live ON rate (account, currency, target, billing_account, day) WHERE ended_ms = -1;

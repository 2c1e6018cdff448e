-- Bills as they really come: several live parts may make up one month of a source (two views of one bill, files
-- that add to what is there), deliveries have a time of their own, and what a later one changed is on record.

-- scope: '' for a delivery that replaces its month; 'actual' and 'amortized' for the two views of a bill; 'load:<id>'
-- for one that adds to its month. payer: the billing account, when there is one.
ALTER TABLE part ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE part ADD COLUMN payer TEXT NOT NULL DEFAULT '';
DROP INDEX part_live;
CREATE UNIQUE INDEX part_live ON part (account, source_id, period, scope) WHERE live = 1;

-- When the provider made the delivery, by its manifest; -1: not known.
ALTER TABLE load ADD COLUMN made_ms INTEGER NOT NULL DEFAULT -1;

-- How a source's tables are read (src/bill/generic.c), kept with the first load that says so.
CREATE TABLE mapping (
    account   TEXT    NOT NULL,
    source_id INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (account, source_id),
    FOREIGN KEY (account, source_id) REFERENCES source (account, id)
) STRICT, WITHOUT ROWID;

-- What a delivery changed of a month that had been there: exact decimals, per currency and cost column.
CREATE TABLE restatement (
    account  TEXT    NOT NULL,
    load_id  INTEGER NOT NULL,
    period   INTEGER NOT NULL,
    currency TEXT    NOT NULL,
    col      TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    closed   INTEGER NOT NULL CHECK (closed IN (0, 1)), -- the month was over and past its days of grace
    before   TEXT    NOT NULL,
    after    TEXT    NOT NULL,
    PRIMARY KEY (account, load_id, period, currency, col),
    FOREIGN KEY (account, load_id) REFERENCES load (account, id)
) STRICT, WITHOUT ROWID;

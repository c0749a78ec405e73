-- +goose Up

-- Rows and corrections have a number in the order of their recording, without
-- gaps. An invoice covers what is numbered up to its cut.
CREATE TABLE ledger_counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
ALTER TABLE usage_rows ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE usage_rows SET number = (SELECT COUNT(*) FROM usage_rows AS earlier WHERE earlier.rowid <= usage_rows.rowid);
INSERT INTO ledger_counters (name, value) SELECT 'number', COUNT(*) FROM usage_rows;

-- What was said later about a row: that it is void, or what it ought to have
-- counted. Rows themselves never change.
CREATE TABLE usage_corrections (
    tenant_id       TEXT    NOT NULL,
    source          TEXT    NOT NULL,
    event_id        TEXT    NOT NULL,
    hash            BLOB    NOT NULL,
    kind            TEXT    NOT NULL,
    corrects_source TEXT    NOT NULL,
    corrects_event  TEXT    NOT NULL,
    quantities      TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    occurred_at     INTEGER NOT NULL,
    recorded_at     INTEGER NOT NULL,
    number          INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
) STRICT;
CREATE INDEX usage_corrections_by_row ON usage_corrections (tenant_id, corrects_source, corrects_event);

-- Versions of rate cards, as they were applied.
CREATE TABLE rate_cards (
    version    TEXT    NOT NULL PRIMARY KEY,
    card       BLOB    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- Prepaid credit of a tenant; amounts of money are whole minor units.
CREATE TABLE credit_grants (
    tenant_id  TEXT    NOT NULL,
    grant_id   TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    minor      INTEGER NOT NULL,
    granted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, grant_id)
) STRICT;

-- A tenant's period once it is closed. covered is the number up to which its
-- usage has been billed, by its invoice or by adjustments on later ones.
CREATE TABLE billing_periods (
    tenant_id   TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    period      TEXT    NOT NULL,
    cut         INTEGER NOT NULL,
    covered     INTEGER NOT NULL,
    card        TEXT    NOT NULL,
    invoice_id  TEXT    NOT NULL,
    closed_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, environment, period)
) STRICT;

-- Invoices and credit notes, byte for byte as they were issued.
CREATE TABLE invoices (
    tenant_id TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    period    TEXT    NOT NULL,
    document  BLOB    NOT NULL,
    cut       INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

-- Double entry: the postings of one transaction sum to zero. Amounts are exact
-- decimals as text. The key makes a transaction happen once.
CREATE TABLE postings (
    tenant_id   TEXT    NOT NULL,
    transaction_key TEXT NOT NULL,
    place       INTEGER NOT NULL,
    account     TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    amount      TEXT    NOT NULL,
    booked_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, transaction_key, place)
) STRICT;

-- +goose Down
DROP TABLE postings;
DROP TABLE invoices;
DROP TABLE billing_periods;
DROP TABLE credit_grants;
DROP TABLE rate_cards;
DROP TABLE usage_corrections;
ALTER TABLE usage_rows DROP COLUMN number;
DROP TABLE ledger_counters;

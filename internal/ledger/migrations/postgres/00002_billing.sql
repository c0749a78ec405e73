-- +goose Up

-- Numbering rows wants to see every tenant's.
SELECT set_config('feira.tenant', '*', true);

-- Rows and corrections have a number in the order of their recording, without
-- gaps. An invoice covers what is numbered up to its cut.
CREATE TABLE ledger_counters (
    name  TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
ALTER TABLE usage_rows ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
UPDATE usage_rows SET number = counted.number FROM (SELECT ctid, tableoid, ROW_NUMBER() OVER (ORDER BY recorded_at, tenant_id, source, event_id) AS number FROM usage_rows) AS counted WHERE usage_rows.ctid = counted.ctid AND usage_rows.tableoid = counted.tableoid;
INSERT INTO ledger_counters (name, value) SELECT 'number', COUNT(*) FROM usage_rows;

-- What was said later about a row: that it is void, or what it ought to have
-- counted. Rows themselves never change.
CREATE TABLE usage_corrections (
    tenant_id       TEXT COLLATE "C"    NOT NULL,
    source          TEXT COLLATE "C"    NOT NULL,
    event_id        TEXT COLLATE "C"    NOT NULL,
    hash            BYTEA    NOT NULL,
    kind            TEXT COLLATE "C"    NOT NULL,
    corrects_source TEXT COLLATE "C"    NOT NULL,
    corrects_event  TEXT COLLATE "C"    NOT NULL,
    quantities      TEXT COLLATE "C"    NOT NULL,
    reason          TEXT COLLATE "C"    NOT NULL,
    occurred_at     BIGINT NOT NULL,
    recorded_at     BIGINT NOT NULL,
    number          BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
);
SELECT feira_wall('usage_corrections');
CREATE INDEX usage_corrections_by_row ON usage_corrections (tenant_id, corrects_source, corrects_event);

-- Versions of rate cards, as they were applied.
CREATE TABLE rate_cards (
    version    TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    card       BYTEA    NOT NULL,
    applied_at BIGINT NOT NULL
);

-- Prepaid credit of a tenant; amounts of money are whole minor units.
CREATE TABLE credit_grants (
    tenant_id  TEXT COLLATE "C"    NOT NULL,
    grant_id   TEXT COLLATE "C"    NOT NULL,
    currency   TEXT COLLATE "C"    NOT NULL,
    minor      BIGINT NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, grant_id)
);
SELECT feira_wall('credit_grants');

-- A tenant's period once it is closed. covered is the number up to which its
-- usage has been billed, by its invoice or by adjustments on later ones.
CREATE TABLE billing_periods (
    tenant_id   TEXT COLLATE "C"    NOT NULL,
    environment TEXT COLLATE "C"    NOT NULL,
    period      TEXT COLLATE "C"    NOT NULL,
    cut         BIGINT NOT NULL,
    covered     BIGINT NOT NULL,
    card        TEXT COLLATE "C"    NOT NULL,
    invoice_id  TEXT COLLATE "C"    NOT NULL,
    closed_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, environment, period)
);
SELECT feira_wall('billing_periods');

-- Invoices and credit notes, byte for byte as they were issued.
CREATE TABLE invoices (
    tenant_id TEXT COLLATE "C"    NOT NULL,
    id        TEXT COLLATE "C"    NOT NULL,
    kind      TEXT COLLATE "C"    NOT NULL,
    period    TEXT COLLATE "C"    NOT NULL,
    document  BYTEA    NOT NULL,
    cut       BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT feira_wall('invoices');

-- Double entry: the postings of one transaction sum to zero. Amounts are exact
-- decimals as text. The key makes a transaction happen once.
CREATE TABLE postings (
    tenant_id   TEXT COLLATE "C"    NOT NULL,
    transaction_key TEXT COLLATE "C" NOT NULL,
    place       BIGINT NOT NULL,
    account     TEXT COLLATE "C"    NOT NULL,
    currency    TEXT COLLATE "C"    NOT NULL,
    amount      TEXT COLLATE "C"    NOT NULL,
    booked_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, transaction_key, place)
);
SELECT feira_wall('postings');

-- +goose Down
DROP TABLE postings;
DROP TABLE invoices;
DROP TABLE billing_periods;
DROP TABLE credit_grants;
DROP TABLE rate_cards;
DROP TABLE usage_corrections;
ALTER TABLE usage_rows DROP COLUMN number;
DROP TABLE ledger_counters;

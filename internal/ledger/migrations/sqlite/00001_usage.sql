-- +goose Up

-- What cannot change once there are rows, such as the zone that cuts days.
CREATE TABLE ledger_settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row for each usage event. The primary key is the one place that decides
-- whether an event is new. Times are Unix nanoseconds.
CREATE TABLE usage_rows (
    tenant_id   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    hash        BLOB    NOT NULL,
    meter       TEXT    NOT NULL,
    session_id  TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    server      TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    billable    INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    quantities  TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    metadata    TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
) STRICT;

CREATE INDEX usage_rows_by_time ON usage_rows (tenant_id, occurred_at);
CREATE INDEX usage_rows_calls ON usage_rows (occurred_at) WHERE meter = 'tool_call';

-- Sums of rows, changed in the transaction that inserts the rows. A quantity is
-- whole units and billionths, so that sums are exact.
CREATE TABLE usage_rollups (
    tenant_id   TEXT    NOT NULL,
    day         TEXT    NOT NULL,
    meter       TEXT    NOT NULL,
    unit        TEXT    NOT NULL,
    server      TEXT    NOT NULL,
    tool        TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    billable    INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    whole       INTEGER NOT NULL,
    nano        INTEGER NOT NULL CHECK (nano BETWEEN 0 AND 999999999),
    PRIMARY KEY (tenant_id, day, meter, unit, server, tool, model, billable, environment)
) STRICT, WITHOUT ROWID;

-- Events with the id of a row that say something else. The row stands.
CREATE TABLE usage_conflicts (
    tenant_id   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    hash        BLOB    NOT NULL,
    kept_hash   BLOB    NOT NULL,
    refused     TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id, hash)
) STRICT;

-- Messages that cannot be booked, whole, with the reason.
CREATE TABLE usage_quarantine (
    digest      BLOB    NOT NULL PRIMARY KEY,
    tenant_id   TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    header      TEXT    NOT NULL,
    data        BLOB    NOT NULL,
    sequence    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE usage_quarantine;
DROP TABLE usage_conflicts;
DROP TABLE usage_rollups;
DROP TABLE usage_rows;
DROP TABLE ledger_settings;

-- +goose Up

-- An export reads rows in the order of their numbers.
CREATE INDEX usage_rows_by_number ON usage_rows (number);

-- How far each export has come. A batch is planned before it is sent, so that
-- it is sent again with the same bounds; the cursor moves when it is taken.
CREATE TABLE exports (
    name       TEXT    NOT NULL PRIMARY KEY,
    cursor     INTEGER NOT NULL,
    planned    INTEGER NOT NULL,
    items      INTEGER NOT NULL,
    settings   TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Sums that wait for their hour to end. They change in the transaction that
-- moves the cursor.
CREATE TABLE export_windows (
    name       TEXT    NOT NULL,
    tenant_id  TEXT    NOT NULL,
    meter      TEXT    NOT NULL,
    unit       TEXT    NOT NULL,
    begins_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    pending    TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (name, tenant_id, meter, unit, begins_at)
) STRICT;

-- Sums that left their window, each under its name for ever.
CREATE TABLE export_sends (
    name       TEXT    NOT NULL,
    identifier TEXT    NOT NULL,
    tenant_id  TEXT    NOT NULL,
    meter      TEXT    NOT NULL,
    unit       TEXT    NOT NULL,
    begins_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    value      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    tried_at   INTEGER NOT NULL,
    PRIMARY KEY (name, identifier)
) STRICT;
CREATE INDEX export_sends_open ON export_sends (name, state);

-- +goose Down
DROP TABLE export_sends;
DROP TABLE export_windows;
DROP TABLE exports;
DROP INDEX usage_rows_by_number;

-- +goose Up

-- An export reads rows in the order of their numbers.
CREATE INDEX usage_rows_by_number ON usage_rows USING brin (number) WITH (pages_per_range = 16);

-- How far each export has come. A batch is planned before it is sent, so that
-- it is sent again with the same bounds; the cursor moves when it is taken.
CREATE TABLE exports (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    cursor     BIGINT NOT NULL,
    planned    BIGINT NOT NULL,
    items      BIGINT NOT NULL,
    settings   TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Sums that wait for their hour to end. They change in the transaction that
-- moves the cursor.
CREATE TABLE export_windows (
    name       TEXT COLLATE "C" NOT NULL,
    tenant_id  TEXT COLLATE "C" NOT NULL,
    meter      TEXT COLLATE "C" NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    begins_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    pending    TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    PRIMARY KEY (name, tenant_id, meter, unit, begins_at)
);
SELECT feira_wall('export_windows');

-- Sums that left their window, each under its name for ever.
CREATE TABLE export_sends (
    name       TEXT COLLATE "C" NOT NULL,
    identifier TEXT COLLATE "C" NOT NULL,
    tenant_id  TEXT COLLATE "C" NOT NULL,
    meter      TEXT COLLATE "C" NOT NULL,
    unit       TEXT COLLATE "C" NOT NULL,
    begins_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL,
    tried_at   BIGINT NOT NULL,
    PRIMARY KEY (name, identifier)
);
SELECT feira_wall('export_sends');
CREATE INDEX export_sends_open ON export_sends (name, state);

-- +goose Down
DROP TABLE export_sends;
DROP TABLE export_windows;
DROP TABLE exports;
DROP INDEX usage_rows_by_number;

-- +goose Up

-- feira_wall draws the wall between tenants around a table: a transaction sees
-- and writes the tenant that it has set (set_config('feira.tenant', id, true)),
-- all of them where it has set '*', and nothing where it has set none. It is
-- forced, so that it binds the owner, too.
-- +goose StatementBegin
CREATE FUNCTION feira_wall(name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('DROP POLICY IF EXISTS wall ON %I', name);
    EXECUTE format('CREATE POLICY wall ON %I USING (tenant_id = (SELECT current_setting(''feira.tenant'', true))'
        || ' OR (SELECT current_setting(''feira.tenant'', true)) = ''*'')', name);
END
$$;
-- +goose StatementEnd

-- What cannot change once there are rows, such as the zone that cuts days.
CREATE TABLE ledger_settings (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The one place that decides whether a usage event is new. A partitioned table
-- cannot: its key would have to hold the time, and the same event at another
-- time would be another one.
CREATE TABLE usage_ids (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    hash        BYTEA  NOT NULL,
    occurred_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id)
);
SELECT feira_wall('usage_ids');

-- One row for each usage event, cut by month. Times are Unix nanoseconds.
CREATE TABLE usage_rows (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    hash        BYTEA  NOT NULL,
    meter       TEXT COLLATE "C" NOT NULL,
    session_id  TEXT COLLATE "C" NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    server      TEXT COLLATE "C" NOT NULL,
    tool        TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    billable    BIGINT NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    quantities  TEXT   NOT NULL,
    attempts    BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    metadata    TEXT   NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    sequence    BIGINT NOT NULL
) PARTITION BY RANGE (occurred_at);
CREATE INDEX usage_rows_by_time ON usage_rows (tenant_id, occurred_at);
CREATE INDEX usage_rows_calls ON usage_rows (occurred_at) WHERE meter = 'tool_call';
SELECT feira_wall('usage_rows');

-- Never filled: partitions are made before rows come. A row in it is a fault
-- that a verification reports, and is not lost.
CREATE TABLE usage_rows_default PARTITION OF usage_rows DEFAULT;
SELECT feira_wall('usage_rows_default');

-- Sums of rows, changed in the transaction that inserts the rows. A quantity is
-- whole units and billionths, so that sums are exact.
CREATE TABLE usage_rollups (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,
    meter       TEXT COLLATE "C" NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    server      TEXT COLLATE "C" NOT NULL,
    tool        TEXT COLLATE "C" NOT NULL,
    model       TEXT COLLATE "C" NOT NULL,
    billable    BIGINT NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    whole       BIGINT NOT NULL,
    nano        BIGINT NOT NULL CHECK (nano BETWEEN 0 AND 999999999),
    PRIMARY KEY (tenant_id, day, meter, unit, server, tool, model, billable, environment)
);
SELECT feira_wall('usage_rollups');

-- Events with the id of a row that say something else. The row stands.
CREATE TABLE usage_conflicts (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    hash        BYTEA  NOT NULL,
    kept_hash   BYTEA  NOT NULL,
    refused     TEXT   NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id, hash)
);
SELECT feira_wall('usage_conflicts');

-- Messages that cannot be booked, whole, with the reason.
CREATE TABLE usage_quarantine (
    digest      BYTEA  NOT NULL PRIMARY KEY,
    tenant_id   TEXT COLLATE "C" NOT NULL,
    reason      TEXT   NOT NULL,
    detail      TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    header      TEXT   NOT NULL,
    data        BYTEA  NOT NULL,
    sequence    BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);
SELECT feira_wall('usage_quarantine');

-- +goose Down
DROP TABLE usage_quarantine;
DROP TABLE usage_conflicts;
DROP TABLE usage_rollups;
DROP TABLE usage_rows;
DROP TABLE usage_ids;
DROP TABLE ledger_settings;
DROP FUNCTION feira_wall;

// Package ledger keeps usage in SQL: each usage event once, its sums, and what
// could not be booked. Billing, invoices and the usage API read it; the path of
// a request does not need it.
//
// It owns the schema and its migrations, the one transaction that books a
// batch, and the queries. SQLite is built in, Postgres is for production;
// whatever an engine does its own way stands behind [dialect], and package
// ledgertest holds both to one suite. In Postgres rows are cut by month, and
// row-level security is forced: a query that names no tenant sees nothing.
//
// It promises:
//
//   - The primary key (tenant, source, event) decides whether an event is new.
//     Its row, its sums and every contradiction commit together or not at all,
//     so recording a batch again changes nothing.
//   - The same id with other contents is kept as a conflict; the first row
//     stands. What cannot be booked is kept in quarantine, whole.
//   - What [Ledger.Record] returned nil for is on disk.
//   - [Ledger.Verify] finds every sum that is not that of its rows and every
//     row that is not what was recorded.
//
// It keeps rate cards, corrections, prepaid credit, invoices and the entries
// that they make; what these come to is decided by packages rating and invoice.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/feira-dev/feira/internal/usage"
)

// Ledger is an open ledger. Its methods are safe for concurrent use; writers
// take turns, readers do not wait for them.
type Ledger struct {
	dialect dialect
	writer  *sql.DB
	reader  *sql.DB
	// These are the writer's, prepared once; claims is nil where the rows'
	// table itself decides which events are new.
	lookups, claims, inserts, sums bulk
	// These are met as they come; nil where the driver keeps statements.
	writings, readings *statements

	version int64
	applied []int64 // by this opening

	zone   *time.Location
	logger *slog.Logger
	now    func() time.Time
}

// Open opens the ledger, making it or bringing it up to date as needed. The
// caller closes it.
func Open(ctx context.Context, config Config) (*Ledger, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	ledger := &Ledger{zone: config.Zone, logger: config.Logger, now: config.Now}
	if err := ledger.connect(ctx, config); err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	if err := ledger.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger: %w", err), ledger.Close())
	}
	return ledger, nil
}

// Close ends the ledger's connections. Work under way ends first.
func (l *Ledger) Close() error {
	var faults []error
	for _, statement := range []bulk{l.lookups, l.claims, l.inserts, l.sums} {
		if statement != nil {
			faults = append(faults, statement.close())
		}
	}
	for _, known := range []*statements{l.writings, l.readings} {
		if known != nil {
			faults = append(faults, known.close())
		}
	}
	return errors.Join(append(faults, l.reader.Close(), l.writer.Close())...)
}

// Engine is sqlite or postgres.
func (l *Ledger) Engine() string {
	if l.dialect.goose == goose.DialectPostgres {
		return "postgres"
	}
	return "sqlite"
}

// Version is that of the tables, with the migrations that this opening applied.
func (l *Ledger) Version() (version int64, applied []int64) {
	return l.version, slices.Clone(l.applied)
}

func (l *Ledger) connect(ctx context.Context, config Config) (err error) {
	if config.DSN == "" {
		if l.dialect, err = sqliteDialect(); err != nil {
			return err
		}
		if l.writer, l.reader, err = openSQLite(config.Path); err == nil {
			l.writings, l.readings = newStatements(l.writer), newStatements(l.reader)
		}
		return err
	}
	if l.dialect, err = postgresDialect(); err != nil {
		return err
	}
	l.writer, l.reader, err = openPostgres(ctx, config.DSN)
	return err
}

// Zone is the zone that cuts the ledger's days.
func (l *Ledger) Zone() *time.Location { return l.zone }

func (l *Ledger) prepare(ctx context.Context) error {
	if err := l.migrate(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if err := l.pinZone(ctx); err != nil {
		return err
	}
	for _, statement := range []struct {
		into  *bulk
		shape shape
	}{
		{&l.lookups, l.knownShape()},
		{&l.claims, l.dialect.claimShape()},
		{&l.inserts, l.dialect.rowShape()},
		{&l.sums, rollupShape()},
	} {
		if statement.into == &l.claims && !l.dialect.claimed {
			continue
		}
		var err error
		if *statement.into, err = l.dialect.prepare(ctx, l.writer, statement.shape); err != nil {
			return err
		}
	}
	return nil
}

// migrateTries bounds how often a migration is begun again because another
// process was quicker. It has committed by the time that ours fails, so there is
// nothing to wait for.
const migrateTries = 5

func (l *Ledger) migrate(ctx context.Context) error {
	provider, err := goose.NewProvider(l.dialect.goose, l.writer, l.dialect.migrations,
		append(l.dialect.locked, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		results, err := provider.Up(ctx)
		for _, result := range results {
			l.applied = append(l.applied, result.Source.Version)
			l.logger.InfoContext(ctx, "ledger migrated", slog.Int64("version", result.Source.Version), slog.Duration("took", result.Duration))
		}
		if err == nil {
			l.version, err = provider.GetDBVersion(ctx)
		}
		if err == nil || try == migrateTries || ctx.Err() != nil {
			return err
		}
	}
}

const settingZone = "zone"

// pinZone keeps the zone of the first opening: days cut in two zones would put
// an hour's usage in two days, or in none.
func (l *Ledger) pinZone(ctx context.Context) error {
	write := l.dialect.bind("INSERT INTO ledger_settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
	if _, err := l.writer.ExecContext(ctx, write, settingZone, l.zone.String()); err != nil {
		return fmt.Errorf("keeping the zone: %w", err)
	}
	var kept string
	read := l.dialect.bind("SELECT value FROM ledger_settings WHERE name = ?")
	if err := l.writer.QueryRowContext(ctx, read, settingZone).Scan(&kept); err != nil {
		return fmt.Errorf("reading the zone: %w", err)
	}
	if kept != l.zone.String() {
		return fmt.Errorf("%w: %s, not %s", ErrZoneChanged, kept, l.zone)
	}
	return nil
}

// day is the date by which a row is summed.
func (l *Ledger) day(row usage.Row) string { return usage.DateOf(row.OccurredAt, l.zone) }

package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/pgd"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/workers/metering"
)

const (
	// meteredBatch is how many messages the ledger writer gets at one time.
	meteredBatch = metering.WriterBatch
	// meteredTenants share the rows by turns.
	meteredTenants = 50
	// meteredAgain is which part of the batches is delivered twice.
	meteredAgain = 10
)

// ground is what is booked, and what the ledger must say then.
type ground struct {
	batches [][]events.Message
	truth   map[events.TenantID]*usage.Tally
	rows    int
}

// meter books usage events through the real ledger writer, from the broker's
// message to the commit, into both stores; every tenth batch comes twice.
func meter(ctx context.Context, w *world, report *Report) error {
	ground, err := newGround(w.config.Rows)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "feira-metering-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	result := &Metering{Rows: ground.rows, Exact: true}
	report.Metering = result
	err = w.rounds(func() error {
		path := filepath.Join(folder, strconv.Itoa(len(result.SQLiteAll))+".db")
		speed, exact, err := ground.book(ctx, ledger.Config{Path: path, Logger: w.config.Logger})
		result.SQLiteAll, result.Exact = append(result.SQLiteAll, speed), result.Exact && exact
		return err
	})
	if err != nil {
		return fmt.Errorf("in SQLite: %w", err)
	}
	result.SQLite = median(result.SQLiteAll)
	if err := w.meterPostgres(ctx, result, ground); err != nil {
		return fmt.Errorf("in Postgres: %w", err)
	}
	w.say("%.0f rows a second into SQLite, %.0f into Postgres, exact: %t", result.SQLite, result.Postgres, result.Exact)
	return nil
}

// meterPostgres measures a private server, where the machine has one.
func (w *world) meterPostgres(ctx context.Context, result *Metering, ground ground) (err error) {
	if missing := pgd.Available(); missing != nil {
		w.say("Postgres is not measured: %v", missing)
		return nil
	}
	server, err := pgd.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	err = w.rounds(func() error {
		dsn, err := server.Database(ctx)
		if err != nil {
			return err
		}
		speed, exact, err := ground.book(ctx, ledger.Config{DSN: dsn, Logger: w.config.Logger})
		result.PostgresAll, result.Exact = append(result.PostgresAll, speed), result.Exact && exact
		return err
	})
	result.Postgres = median(result.PostgresAll)
	return err
}

// book runs all batches through a writer into an empty ledger and returns the
// new rows a second, and whether the ledger then is the ground truth.
func (g ground) book(ctx context.Context, config ledger.Config) (speed float64, exact bool, err error) {
	book, err := ledger.Open(ctx, config)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	writer, err := metering.NewWriter(metering.WriterConfig{Ledger: book, Logger: config.Logger})
	if err != nil {
		return 0, false, err
	}
	begun := time.Now()
	for handle := range g.staged(ctx, writer) {
		if err := handle(ctx); err != nil {
			return 0, false, err
		}
	}
	speed = perSecond(g.rows, time.Since(begun))
	exact, err = g.same(ctx, book)
	return speed, exact, err
}

// staged hands out what books each batch, staged as the consumer of the broker's
// stream does it: while the one before it is booked.
func (g ground) staged(ctx context.Context, writer *metering.Writer) iter.Seq[func(context.Context) error] {
	return func(yield func(func(context.Context) error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		ahead := make(chan func(context.Context) error)
		go func() {
			defer close(ahead)
			for i, batch := range g.batches {
				times := 1
				if i%meteredAgain == 0 {
					times = 2
				}
				for range times {
					select {
					case ahead <- writer.Stage(batch):
					case <-ctx.Done():
						return
					}
				}
			}
		}()
		defer func() {
			cancel()
			for range ahead { // until it has ended
			}
		}()
		for handle := range ahead {
			if !yield(handle) {
				return
			}
		}
	}
}

func (g ground) same(ctx context.Context, book *ledger.Ledger) (bool, error) {
	found, err := book.Verify(ctx)
	if err != nil || !found.OK() || found.Rows != g.rows {
		return false, err
	}
	for tenant, tally := range g.truth {
		totals, err := book.Totals(ctx, tenant, usage.Period{})
		if err != nil || !slices.Equal(tally.Totals(), totals) {
			return false, err
		}
	}
	return true, nil
}

// newGround makes the usage of a busy market and its ground truth: three of
// four events are tool calls, one is a model's reply.
func newGround(rows int) (ground, error) {
	made := ground{truth: map[events.TenantID]*usage.Tally{}, rows: rows}
	start := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	var batch []events.Message
	for i := range rows {
		message, err := meteredMessage(i, start)
		if err != nil {
			return made, err
		}
		row, err := usage.ReadRow(message)
		if err != nil {
			return made, err
		}
		if made.truth[row.Tenant] == nil {
			made.truth[row.Tenant] = usage.NewTally()
		}
		if err := made.truth[row.Tenant].AddRow(row); err != nil {
			return made, err
		}
		if batch = append(batch, message); len(batch) == meteredBatch || i == rows-1 {
			made.batches, batch = append(made.batches, batch), nil
		}
	}
	return made, nil
}

func meteredMessage(i int, start time.Time) (events.Message, error) {
	tenant := events.TenantID("tenant_" + strconv.Itoa(i%meteredTenants))
	env, event, ok := usage.FromRecord(meteredFact(tenant, i, start), usage.SessionFacts{
		Environment: events.EnvironmentTest, Metadata: map[string]string{"tenant_id": string(tenant)},
	})
	if !ok {
		return events.Message{}, fmt.Errorf("event %d makes no usage", i)
	}
	message, err := events.Encode(events.UsageSubject(tenant, event.Meter), env, event)
	message.Sequence, message.Time = uint64(i+1), env.Time //nolint:gosec // not negative
	return message, err
}

func meteredFact(tenant events.TenantID, i int, start time.Time) events.Record {
	turn := uint64(i / (8 * meteredTenants) * meteredTenants) //nolint:gosec // not negative
	turn += uint64(i % meteredTenants)                        //nolint:gosec // not negative
	env := events.Envelope{
		ID: strconv.Itoa(i), Time: start.Add(time.Duration(i) * time.Microsecond), Tenant: tenant,
		Session: events.DerivedSession(tenant, turn), Request: events.DerivedRequest(turn),
	}
	if i/meteredTenants%4 == 3 {
		return events.Record{Envelope: env, Event: &events.ModelReplied{
			Iteration: i/meteredTenants%8 + 1, Model: "small", Usage: events.TokenUsage{InputTokens: int64(i % 1000), OutputTokens: int64(i % 100)},
		}}
	}
	return events.Record{Envelope: env, Event: &events.ToolReturned{
		Iteration: 1, Index: i / meteredTenants % 8, Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Attempts: 1, DurationMS: 120,
	}}
}

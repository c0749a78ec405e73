package export_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/usage"
)

func kinds() []export.Kind {
	return []export.Kind{
		export.KindOpenMeter, export.KindLago, export.KindWebhook, export.KindStripe, export.KindCSV, export.KindParquet,
	}
}

// usedEvents is how many usage events [filled] books, beside two corrections.
const usedEvents = 24

// filled is a ledger with the usage of two tenants, of which one event is void
// and one counts three times.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	book, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: now})
	require.NoError(t, err)
	var messages []events.Message
	for n := range usedEvents {
		tenant := events.TenantID([]string{"tenant_acme", "tenant_loja"}[n%2])
		if n%3 == 0 {
			messages = append(messages, ledgertest.ModelReply(t, tenant, "ses_m", n%10+1))
		} else {
			messages = append(messages, ledgertest.ToolCall(t, tenant, "ses_t", n%10))
		}
	}
	for i := range messages {
		messages[i].Header.Set(events.HeaderID, "event-"+strconv.Itoa(i))
		messages[i].Sequence, messages[i].Time = uint64(i+1), now()
	}
	record(t, book, messages[:20]...)
	record(t, book, correct(t, messages[1], events.CorrectionVoid), correct(t, messages[4], events.CorrectionAdjust))
	record(t, book, messages[20:]...)
	require.NoError(t, book.Close())
	return path
}

func record(t *testing.T, book *ledger.Ledger, messages ...events.Message) {
	t.Helper()
	outcome, err := book.Record(t.Context(), usage.ReadBatch(messages))
	require.NoError(t, err)
	require.Equal(t, len(messages), outcome.Inserted, outcome)
}

func correct(t *testing.T, of events.Message, kind events.Correction) events.Message {
	t.Helper()
	row, err := usage.ReadRow(of)
	require.NoError(t, err)
	event := &events.UsageCorrected{Meter: row.Meter, Kind: kind, CorrectsSource: row.Source, CorrectsID: row.Event, Reason: "a test"}
	if kind == events.CorrectionAdjust {
		event.Quantities = []events.Quantity{{Unit: row.Quantities[0].Unit, Amount: "3"}}
	}
	made, err := events.Encode(events.UsageSubject(row.Tenant, row.Meter), events.Envelope{
		ID: "correction-" + row.Event, Source: "/operator", Time: now(), Tenant: row.Tenant,
	}, event)
	require.NoError(t, err)
	made.Time = now()
	return made
}

// truth is what the ledger counts, as the other side calls it.
func truth(t *testing.T, path string, settings export.Settings) map[string]usage.Change {
	t.Helper()
	book := open(t, path)
	want := map[string]usage.Change{}
	for _, tenant := range []events.TenantID{"tenant_acme", "tenant_loja"} {
		totals, err := book.Totals(t.Context(), tenant, usage.Period{})
		require.NoError(t, err)
		for _, total := range totals {
			meter, name := string(total.Meter)+"."+total.Unit, string(tenant)
			for _, listed := range settings.Meters {
				if listed.Meter == total.Meter && listed.Unit == total.Unit {
					meter = listed.Event
				}
			}
			if settings.Tenants[tenant] != "" {
				name = settings.Tenants[tenant]
			}
			sum, err := want[name+" "+meter].Add(usage.Change{Amount: total.Amount})
			require.NoError(t, err)
			want[name+" "+meter] = sum
		}
	}
	require.Len(t, want, 6)
	return want
}

func open(t *testing.T, path string) *ledger.Ledger {
	t.Helper()
	book, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	return book
}

func newExporter(t *testing.T, books export.Books, settings export.Settings) *export.Exporter {
	t.Helper()
	zone, err := usage.Zone("")
	require.NoError(t, err)
	made, err := export.New(export.Config{Settings: settings, Books: books, Zone: zone, Key: secret, Tries: 1, Pause: time.Millisecond, Now: now})
	require.NoError(t, err)
	t.Cleanup(made.Close)
	return made
}

// place is where an export of a kind goes, and what it has there.
func place(t *testing.T, kind export.Kind) (where export.Settings, has func() map[string]usage.Change, far *other) {
	t.Helper()
	if kind == export.KindCSV || kind == export.KindParquet {
		dir := filepath.Join(t.TempDir(), "files")
		return settings(kind, dir), nil, nil
	}
	far = newOther(t, kind)
	return settings(kind, far.url), func() map[string]usage.Change { return far.sum(t) }, far
}

// Every kind is told of all that counts, once; a second run tells nothing; and
// both sides agree, until one of them is changed.
func TestEverySinkHasWhatTheLedgerCounts(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			where, has, far := place(t, kind)
			book := open(t, path)
			exporter := newExporter(t, book, where)
			report, err := exporter.Run(t.Context())
			require.NoError(t, err)
			require.Equal(t, report.Last, report.Cursor)
			require.EqualValues(t, usedEvents+2, report.Last)
			require.Greater(t, report.Batches, 4-4*btoi(kind == export.KindStripe))
			require.Zero(t, report.Waiting)
			if has != nil {
				require.Equal(t, truth(t, path, where), has())
			}
			again, err := exporter.Run(t.Context())
			require.NoError(t, err)
			require.Zero(t, again.Items)

			found, err := exporter.Reconcile(t.Context())
			require.NoError(t, err)
			require.True(t, found.OK(), "%+v", found)
			require.Equal(t, kind != export.KindWebhook, found.Asked)
			require.Equal(t, 6, found.Sums)

			switch {
			case kind == export.KindWebhook:
				return
			case far == nil:
				files, err := filepath.Glob(filepath.Join(where.Dir, "*"))
				require.NoError(t, err)
				require.NoError(t, os.Remove(files[0]))
			default:
				far.mu.Lock()
				for id := range far.taken {
					delete(far.taken, id)
					break
				}
				far.mu.Unlock()
			}
			found, err = exporter.Reconcile(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, found.Differences)
		})
	}
}

func btoi(is bool) int {
	if is {
		return 1
	}
	return 0
}

// failing is books of which one call fails: before it has done anything, or
// after, as when the process dies before it hears.
type failing struct {
	*ledger.Ledger
	left  int // calls until then
	after bool
}

var errPlanted = errors.New("planted")

func (f *failing) call(do func() error) error {
	f.left--
	if f.left == 0 && !f.after {
		return errPlanted
	}
	err := do()
	if f.left == 0 {
		return errPlanted
	}
	return err
}

func (f *failing) PlanExport(ctx context.Context, name string, limit int64) (planned usage.Export, err error) {
	err = f.call(func() (err error) { planned, err = f.Ledger.PlanExport(ctx, name, limit); return err })
	return planned, err
}

func (f *failing) AdvanceExport(ctx context.Context, taken usage.Export, items int64) error {
	return f.call(func() error { return f.Ledger.AdvanceExport(ctx, taken, items) })
}

func (f *failing) GatherExport(ctx context.Context, taken usage.Export, items int64, windows map[usage.WindowKey]usage.Change) error {
	return f.call(func() error { return f.Ledger.GatherExport(ctx, taken, items, windows) })
}

func (f *failing) CutSend(ctx context.Context, export string, window usage.Window, name func(int64) string) error {
	return f.call(func() error { return f.Ledger.CutSend(ctx, export, window, name) })
}

func (f *failing) MarkSend(ctx context.Context, export string, send usage.Send) error {
	return f.call(func() error { return f.Ledger.MarkSend(ctx, export, send) })
}

// Whichever step an export dies in, before the step is kept or after, the next
// run tells what is missing and nothing that counts twice.
func TestDeathInAnyStepLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		for _, after := range []bool{false, true} {
			t.Run(string(kind)+map[bool]string{false: " before", true: " after"}[after], func(t *testing.T) {
				t.Parallel()
				path := filled(t)
				stride := 2
				if kind == export.KindStripe { // two for each of many sums, and all alike
					stride = 23
				}
				source, err := os.ReadFile(path)
				require.NoError(t, err)
				for step := 1; ; step += stride {
					copied := filepath.Join(t.TempDir(), "ledger.db")
					require.NoError(t, os.WriteFile(copied, source, 0o600))
					where, has, _ := place(t, kind)
					book := open(t, copied)
					_, err := newExporter(t, &failing{Ledger: book, left: step, after: after}, where).Run(t.Context())
					if err == nil {
						require.Greater(t, step, 6, "steps were counted")
						return
					}
					require.ErrorIs(t, err, errPlanted)
					exporter := newExporter(t, book, where)
					_, err = exporter.Run(t.Context())
					require.NoError(t, err)
					if has != nil {
						require.Equal(t, truth(t, copied, where), has(), "step %d", step)
					}
					found, err := exporter.Reconcile(t.Context())
					require.NoError(t, err)
					require.True(t, found.OK(), "step %d: %+v", step, found)
				}
			})
		}
	}
}

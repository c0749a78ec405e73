package export_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

var listening = regexp.MustCompile(`Listening for HTTP at address: (127\.0\.0\.1:[0-9]+)`)

// Stripe's own check of requests against its API description takes every meter
// event, and the question for summaries.
func TestStripeMockTakesMeterEvents(t *testing.T) {
	t.Parallel()
	testenv.Require(t, "stripe-mock", func() error {
		said, err := exec.CommandContext(t.Context(), filepath.Join("../..", ".ci", "tools"), "stripe-mock").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
	program, err := filepath.Abs(filepath.Join("../..", ".bin", "stripe-mock"))
	require.NoError(t, err)
	mock := testenv.Start(t, testenv.ChildParams{Path: program, Args: []string{"-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"}})
	path := filled(t)
	where := settings(export.KindStripe, "http://"+mock.WaitForOutput(t, listening)[1])
	book := open(t, path)
	zone, err := usage.Zone("")
	require.NoError(t, err)
	config := export.Config{Settings: where, Books: book, Zone: zone, Key: "sk_test_123", Tries: 1, Now: now}
	exporter, err := export.New(config)
	require.NoError(t, err)
	defer exporter.Close()
	report, err := exporter.Run(t.Context())
	require.NoError(t, err)
	require.Greater(t, report.Sends[usage.SendAccepted], 10)
	require.Len(t, report.Sends, 1, "%v", report.Sends)

	// It answers summaries with examples: that both sides differ shows that it was asked.
	found, err := exporter.Reconcile(t.Context())
	require.NoError(t, err)
	require.True(t, found.Asked)

	// It can refuse: an event of no name is none.
	said, err := http.Post(where.URL+"/v1/billing/meter_events", "application/x-www-form-urlencoded", strings.NewReader("timestamp=1")) //nolint:noctx // one that is answered at once
	require.NoError(t, err)
	require.NoError(t, said.Body.Close())
	require.NotEqual(t, http.StatusOK, said.StatusCode)
}

// clock is a time that tests move.
type clock struct{ at time.Time }

// An hour that has not settled waits; what comes late is a second
// version of its hour; an hour in which a period ends is cut; what Stripe no
// longer takes is a correction; what it takes back is seen; what it has
// forgotten is found by its sum.
func TestStripeHours(t *testing.T) {
	t.Parallel()
	far := newOther(t, export.KindStripe)
	where := settings(export.KindStripe, far.url)
	zone, err := usage.Zone("Asia/Kolkata") // its months begin at half an hour of UTC
	require.NoError(t, err)
	at := &clock{at: time.Date(2026, time.November, 30, 18, 39, 0, 0, time.UTC)}
	book, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db"), Zone: zone})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	exporter, err := export.New(export.Config{
		Settings: where, Books: book, Zone: zone, Key: secret, Tries: 1, Pause: time.Millisecond, Now: func() time.Time { return at.at },
	})
	require.NoError(t, err)
	defer exporter.Close()
	number := 0
	use := func(tenant events.TenantID, when time.Time) {
		number++
		row := exampleRow(when, tenant, "asaas", "create_payment", 1)
		row.Event = fmt.Sprint("event-", number)
		_, err := book.Record(t.Context(), usage.Batch{Rows: []usage.Row{row}})
		require.NoError(t, err)
	}
	run := func() export.Report {
		report, err := exporter.Run(t.Context())
		require.NoError(t, err)
		return report
	}
	hour := time.Date(2026, time.November, 30, 18, 0, 0, 0, time.UTC)
	use("tenant_acme", hour.Add(10*time.Minute)) // November in Kolkata
	use("tenant_acme", hour.Add(35*time.Minute)) // December
	use("tenant_new", hour)                      // whom the settings do not name
	report := run()
	require.Equal(t, 3, report.Waiting, "the first half hour wants a minute more")
	require.Equal(t, []string{"tenant tenant_new"}, report.Unlisted)

	at.at = hour.Add(2 * time.Hour)
	require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 2}, run().Sends)
	require.Contains(t, far.taken, "tenant_acme:feira_calls:20261130T1800:1")
	require.Contains(t, far.taken, "tenant_acme:feira_calls:20261130T1830:1")
	require.Contains(t, far.taken["tenant_acme:feira_calls:20261130T1830:1"].raw, fmt.Sprint("timestamp=", hour.Add(30*time.Minute).Unix()))

	use("tenant_acme", hour.Add(20*time.Minute)) // late
	run()
	require.Contains(t, far.taken, "tenant_acme:feira_calls:20261130T1800:2")
	require.Equal(t, "3", far.sum(t)["cus_acme feira_calls"].String())

	use("tenant_acme", at.at.AddDate(0, 0, -36))
	require.Equal(t, map[usage.SendState]int{usage.SendCorrection: 1}, run().Sends)

	marked, err := exporter.RecordErrors(t.Context(), []byte(`{"type":"v1.billing.meter.error_report_triggered","data":{"reason":{"error_types":[
		{"code":"meter_event_no_customer_defined","sample_errors":[{"error_message":"no such customer","request":{"identifier":"tenant_acme:feira_calls:20261130T1830:1"}},
		{"error_message":"of somebody else","request":{"identifier":"x"}}]}]}}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"tenant_acme:feira_calls:20261130T1830:1"}, marked)
	found, err := exporter.Reconcile(t.Context())
	require.NoError(t, err)
	require.Len(t, found.Findings, 2)
	require.Contains(t, strings.Join(found.Findings, "\n"), "meter_event_no_customer_defined: no such customer")
}

// A send that was tried so long ago that Stripe may have forgotten its
// identifier is looked for by the sum of its hour, and not sent blindly.
func TestStripeForgets(t *testing.T) {
	t.Parallel()
	for name, arrived := range map[string]bool{"it arrived": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newOther(t, export.KindStripe)
			book := open(t, filled(t))
			exporter := newExporter(t, book, settings(export.KindStripe, far.url))
			_, err := exporter.Run(t.Context())
			require.NoError(t, err)
			sends, err := book.Sends(t.Context(), "stripe")
			require.NoError(t, err)
			doubtful := sends[0]
			for _, one := range sends { // its meter has that one hour alone in the fake, which knows no hours
				if one.Identifier != doubtful.Identifier {
					delete(far.taken, one.Identifier)
				}
			}
			if !arrived {
				delete(far.taken, doubtful.Identifier)
			}
			before := far.n
			doubtful.State, doubtful.TriedAt = usage.SendTried, now().Add(-25*time.Hour)
			require.NoError(t, book.MarkSend(t.Context(), "stripe", doubtful))
			report, err := exporter.Run(t.Context())
			require.NoError(t, err)
			require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 1}, report.Sends)
			require.Equal(t, before+btoi(!arrived), far.n)
			require.Contains(t, far.taken, doubtful.Identifier)
		})
	}
}

// Stripe takes what takes away, and bills a month below zero as nothing. So what
// is void of something that Stripe has leaves at once; what is void of something
// that it has not is held, and said so, until the month has enough or is closed.
func TestStripeNegativeSums(t *testing.T) {
	t.Parallel()
	far := newOther(t, export.KindStripe)
	where := settings(export.KindStripe, far.url)
	zone, err := usage.Zone("")
	require.NoError(t, err)
	at := &clock{at: now()}
	book, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db"), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	exporter, err := export.New(export.Config{
		Settings: where, Books: book, Zone: zone, Key: secret, Tries: 1, Pause: time.Millisecond, Now: func() time.Time { return at.at },
	})
	require.NoError(t, err)
	defer exporter.Close()
	use := func(n int) events.Message {
		made := ledgertest.ToolCall(t, "tenant_acme", "ses_t", n)
		made.Header.Set(events.HeaderID, fmt.Sprint("event-", n))
		made.Sequence, made.Time = uint64(n+1), now()
		record(t, book, made)
		return made
	}
	run := func() map[usage.SendState]int {
		report, err := exporter.Run(t.Context())
		require.NoError(t, err)
		return report.Sends
	}
	findings := func() string {
		found, err := exporter.Reconcile(t.Context())
		require.NoError(t, err)
		audits, err := export.AuditAll(t.Context(), book)
		require.NoError(t, err)
		require.Equal(t, found.Findings, append([]string{}, audits[0].Findings...), "what is asked and what the books say")
		require.Empty(t, found.Differences)
		return strings.Join(found.Findings, "\n")
	}
	const calls = "cus_acme feira_calls"
	first := use(0)
	require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 1}, run())
	record(t, book, correct(t, first, events.CorrectionVoid))
	require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 1}, run())
	require.Equal(t, "0", far.sum(t)[calls].String())
	require.Empty(t, findings())

	second := use(1)
	require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 1}, run())
	sends, err := book.Sends(t.Context(), "stripe")
	require.NoError(t, err)
	taken := sends[len(sends)-1]
	far.mu.Lock()
	delete(far.taken, taken.Identifier) // it took it, and took it back
	far.mu.Unlock()
	_, err = exporter.RecordErrors(t.Context(), fmt.Appendf(nil, `{"data":{"reason":{"error_types":[{"code":"gone","sample_errors":[{"request":{"identifier":%q}}]}]}}}`, taken.Identifier))
	require.NoError(t, err)
	record(t, book, correct(t, second, events.CorrectionVoid))
	for range 2 {
		require.Equal(t, map[usage.SendState]int{usage.SendHeld: 1}, run())
		require.Equal(t, "0", far.sum(t)[calls].String())
		require.Contains(t, findings(), "is held: Stripe has 0 of this month")
	}
	use(2)
	require.Equal(t, map[usage.SendState]int{usage.SendAccepted: 2}, run(), "there is enough now")
	require.Equal(t, "0", far.sum(t)[calls].String())
	require.NotContains(t, findings(), "held")

	third := use(3)
	run()
	at.at = now().AddDate(0, 0, 8) // in December, past the grace of Stripe's invoices
	record(t, book, correct(t, third, events.CorrectionVoid))
	require.Equal(t, map[usage.SendState]int{usage.SendCorrection: 1}, run())
	require.Equal(t, "1", far.sum(t)[calls].String())
	require.Contains(t, findings(), "it came when its month was closed")
}

package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/testenv"
)

// patience bounds a wait for a condition that nobody signals.
const (
	patience = 60 * time.Second
	pace     = 20 * time.Millisecond
)

func TestDevServesWhateverPublishes(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	broker := b.connect(t)
	// No header and no client of ours: what "nats pub" sends.
	sequence, err := broker.Requests().Publish(t.Context(), events.Message{
		Subject: "feira.requests.tenant_acme",
		Data:    []byte(`{"message":"Charge R$ 150,00 to Maria Silva (CPF 529.982.247-25, maria@example.com)"}`),
	})
	require.NoError(t, err)
	session := events.DerivedSession("tenant_acme", sequence)
	requireEndings(t, broker, "tenant_acme", 1)

	tail := b.feira(t, "", "tail", "tenant_acme", string(session), "--json")
	require.Contains(t, tail, `"feira.turn.completed.v1"`)
	require.Contains(t, tail, `"status":"completed"`)

	require.Eventually(t, func() bool {
		var used struct {
			Usage struct {
				ToolCalls int `json:"tool_calls"`
			} `json:"usage"`
			Bill struct {
				Currency string `json:"currency"`
			} `json:"bill"`
		}
		require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "usage", "tenant_acme", "--json")), &used))
		require.Equal(t, "BRL", used.Bill.Currency)
		return used.Usage.ToolCalls == toolCalls(logged(t, broker, "tenant_acme"))
	}, patience, pace, "usage must count what the log holds")

	answer := b.feira(t, "", "send", "tenant_acme", "What is the balance now?", "--session", string(session))
	require.Contains(t, answer, "[offline model]")
	require.Contains(t, b.feira(t, "", "tenant", "list"), "tenant_loja")
	require.Contains(t, b.feira(t, "", "credential", "list", "tenant_acme"), "secret_key")
	require.NotContains(t, b.feira(t, "", "credential", "list", "tenant_acme", "--json"), "sk_test_")
	require.Contains(t, b.feira(t, "", "dead", "list", "--json"), `"letters":[]`)
}

// Interrupted or killed in the middle of turns and started again, dev brings
// every turn to its end, and no tool call has its effect twice.
func TestDevFinishesWhatItWasStoppedIn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testenv.Child){
		"Ctrl-C":  func(c *testenv.Child) { c.Interrupt(t) },
		"kill -9": func(c *testenv.Child) { c.Kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const orders = 24
			b := setupDev(t)
			broker := b.connect(t)
			for n := range orders {
				publishOrder(t, broker, n)
			}
			broker.Close()
			for stop := range 2 {
				want := (stop + 1) * 12
				require.Eventually(t, func() bool { return len(b.sandbox.Journal().Entries(journal.Filter{})) >= want }, patience, pace)
				end(b.child)
				<-b.child.Done()
				b.start(t)
			}
			broker = b.connect(t)
			requireEndings(t, broker, "tenant_acme", orders)
			requireOneEffectEach(t, b.sandbox.Journal().Entries(journal.Filter{}))
			records := logged(t, broker, "tenant_acme")
			requireDistinctFacts(t, records)
			requireUsage(t, b, records)
			if name == "Ctrl-C" {
				requireNothingUnknown(t, records)
			}
		})
	}
}

// publishOrder asks for something that nobody else asks for, so that equal
// bodies at a provider mean one call made twice.
func publishOrder(t *testing.T, broker *bus.Bus, n int) {
	t.Helper()
	message, err := events.NewRequest(
		events.RequestParams{Tenant: "tenant_acme", Session: events.SessionID("order-" + strconv.Itoa(n)), Priority: events.PriorityNormal},
		events.Request{Message: fmt.Sprintf("Order %d: charge R$ %d,00 to Maria Silva (CPF 529.982.247-25, maria%d@example.com), ship it from CEP 01001-000 to CEP 01310-%03d and issue the invoice.", n, 100+n, n, 100+n)})
	require.NoError(t, err)
	_, err = broker.Requests().Publish(t.Context(), message)
	require.NoError(t, err)
}

func requireEndings(t *testing.T, broker *bus.Bus, tenant events.TenantID, want int) {
	t.Helper()
	require.Eventually(t, func() bool {
		ended := 0
		for _, record := range logged(t, broker, tenant) {
			if end, ok := record.Event.(*events.TurnCompleted); ok {
				require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
				ended++
			}
		}
		return ended >= want
	}, patience, pace)
}

func requireOneEffectEach(t *testing.T, entries []journal.Entry) {
	t.Helper()
	seen := map[string]journal.Entry{}
	for _, entry := range entries {
		place := strings.Join([]string{entry.Server, entry.Account, entry.Effect, entry.BodyHash}, " ")
		require.NotContains(t, seen, place, "two effects of one call: %+v", entry)
		seen[place] = entry
	}
}

// requireDistinctFacts: a reply bought twice, or an outcome told twice, would
// stand in the log under one id.
func requireDistinctFacts(t *testing.T, records []events.Record) {
	t.Helper()
	seen := map[string]bool{}
	for _, record := range records {
		place := record.Source + " " + record.ID
		require.False(t, seen[place], "%s stands twice in the log", place)
		seen[place] = true
	}
}

func requireNothingUnknown(t *testing.T, records []events.Record) {
	t.Helper()
	for _, record := range records {
		if returned, ok := record.Event.(*events.ToolReturned); ok {
			require.Equal(t, events.ToolOK, returned.Status, "a soft stop leaves no call in doubt: %s", returned.Name)
		}
	}
}

func toolCalls(records []events.Record) int {
	n := 0
	for _, record := range records {
		if _, ok := record.Event.(*events.ToolReturned); ok {
			n++
		}
	}
	return n
}

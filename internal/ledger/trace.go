package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// TraceParams say of which line the events are asked for.
type TraceParams struct {
	Tenant  events.TenantID
	Invoice string
	Line    int
	Cards   rating.Cards
}

// TracedEvent is a usage event of a line, with what it counts for it.
type TracedEvent struct {
	Event    string           `json:"event"`
	Source   string           `json:"source"`
	Session  events.SessionID `json:"session"`
	Request  events.RequestID `json:"request"`
	Server   string           `json:"server,omitempty"`
	Tool     string           `json:"tool,omitempty"`
	Model    string           `json:"model,omitempty"`
	Outcome  string           `json:"outcome"`
	At       time.Time        `json:"at"`
	Quantity usage.Amount     `json:"quantity"`
}

// Trace hands out the usage events that a line is of: for a line of the
// invoice's own period those that it sums, for an adjustment those of its period
// as they stood when it was made.
func (l *Ledger) Trace(ctx context.Context, params TraceParams, hear func(TracedEvent) error) error {
	document, _, err := l.Invoice(ctx, params.Tenant, params.Invoice)
	if err != nil {
		return err
	}
	if params.Line < 1 || params.Line > len(document.Lines) {
		return fmt.Errorf("%w: line %d of %s, which has %d", ErrUnknownInvoice, params.Line, params.Invoice, len(document.Lines))
	}
	line := document.Lines[params.Line-1]
	card := (*rating.Card)(nil)
	for _, candidate := range params.Cards {
		if candidate.Version == line.RateCard && candidate.Kind == rating.KindPrice {
			card = candidate
		}
	}
	if card == nil {
		return nil // a credit or a minimum fee is of no event
	}
	period, err := invoice.ParsePeriod(line.Period, l.zone)
	if err != nil {
		return fmt.Errorf("tracing %s: %w", params.Invoice, err)
	}
	err = l.read(ctx, params.Tenant, func(tx *transaction) error {
		snapshot := SnapshotParams{Tenant: params.Tenant, Period: period.Period, Environment: document.Environment}
		statement := l.dialect.bind("SELECT cut FROM invoices WHERE tenant_id = ? AND id = ?")
		if err := tx.QueryRowContext(ctx, statement, string(params.Tenant), params.Invoice).Scan(&snapshot.Cut); err != nil {
			return err
		}
		return l.eachRow(ctx, tx, snapshot, func(row usage.Row, _ usage.Hash) error { return traceRow(row, line, card, hear) })
	})
	if err != nil {
		return fmt.Errorf("tracing %s: %w", params.Invoice, err)
	}
	return nil
}

func traceRow(row usage.Row, line invoice.Line, card *rating.Card, hear func(TracedEvent) error) error {
	for _, quantity := range row.Quantities {
		rated, ok := card.LineOf(row.Key(quantity.Unit))
		if !ok || !row.Billable || !line.Of(rated) {
			continue
		}
		err := hear(TracedEvent{
			Event: row.Event, Source: row.Source, Session: row.Session, Request: row.Request, Server: row.Server, Tool: row.Tool,
			Model: row.Model, Outcome: row.Outcome, At: row.OccurredAt, Quantity: quantity.Amount,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

// DemoReport is what a demo came to.
type DemoReport struct {
	Tenants   []DemoTenant `json:"tenants"`
	Payment   DemoPayment  `json:"payment"`
	Isolation Isolation    `json:"isolation"`
	Requests  DemoRequests `json:"requests"`
	Audit     DemoAudit    `json:"audit"`
	// Model is "offline" or the name of the model.
	Model string `json:"model"`
}

// DemoTenant is one tenant's part in a demo.
type DemoTenant struct {
	ID      tenant.ID `json:"id"`
	Servers []string  `json:"servers"`
	// Turns counts the agent turns that completed.
	Turns int `json:"turns"`
	// ToolCalls are the billable rows of the ledger, the oldest first.
	ToolCalls []DemoCall  `json:"tool_calls"`
	Usage     Summary     `json:"usage"`
	Bill      rating.Bill `json:"bill"`
	Invoice   DemoInvoice `json:"invoice"`
}

// DemoCall is one tool call as it is billed.
type DemoCall struct {
	Server  string            `json:"server"`
	Tool    string            `json:"tool"`
	Status  events.ToolStatus `json:"status"`
	Session events.SessionID  `json:"session"`
}

// DemoRequests says what became of what the broker accepted.
type DemoRequests struct {
	Accepted int `json:"accepted"`
	// Completed counts accepted requests that have an ending in the log.
	Completed int `json:"completed"`
	// Lost have none, Duplicated have more than one.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
}

// ledgerPace is how often the demo looks whether the ledger has caught up.
const ledgerPace = 20 * time.Millisecond

// tally is what the session logs, the truth, say of a tenant.
type tally struct {
	endings map[ending]int
	turns   int
	used    Summary
}

// report fills in what of a report is to be read from the logs and the books.
func (d *demo) report(ctx context.Context, report DemoReport) (DemoReport, error) {
	for _, customer := range d.tenants {
		counted, err := d.count(ctx, customer.ID)
		if err != nil {
			return report, err
		}
		for _, sent := range d.accepted {
			if sent.Tenant != customer.ID {
				continue
			}
			report.Requests.Accepted++
			switch n := counted.endings[ending{sent.Tenant, sent.Session, sent.Request}]; {
			case n == 0:
				report.Requests.Lost++
			case n > 1:
				report.Requests.Duplicated++
				report.Requests.Completed++
			default:
				report.Requests.Completed++
			}
		}
		if err := d.settled(ctx, customer.ID, counted.used); err != nil {
			return report, err
		}
		billed, err := d.bill(ctx, customer, counted)
		if err != nil {
			return report, err
		}
		report.Tenants = append(report.Tenants, billed)
	}
	if err := d.invoices(ctx, &report); err != nil {
		return report, err
	}
	var err error
	report.Audit, err = d.audit(ctx)
	return report, err
}

// count folds a tenant's stored events, not the feed, into a tally.
func (d *demo) count(ctx context.Context, id tenant.ID) (tally, error) {
	counted := tally{endings: make(map[ending]int)}
	err := d.operator.Follow(ctx, bus.FollowParams{Tenant: id, Stored: true}, func(record events.Record) {
		switch event := record.Event.(type) {
		case *events.ToolReturned:
			if event.Status != events.ToolRefused {
				counted.used.ToolCalls++
			}
		case *events.ModelReplied:
			counted.used.InputTokens += event.Usage.InputTokens
			counted.used.OutputTokens += event.Usage.OutputTokens
		case *events.TurnCompleted:
			counted.endings[ending{record.Tenant, record.Session, record.Request}]++
			if event.Status == events.TurnCompletedOK && event.Iterations > 0 {
				counted.turns++
			}
		}
	})
	if err != nil {
		return counted, fmt.Errorf("reading the logs of %s: %w", id, err)
	}
	return counted, nil
}

// settled waits until the ledger says of a tenant what the logs say, to the
// unit. Nobody tells when a row is booked, so it looks.
func (d *demo) settled(ctx context.Context, id tenant.ID, logged Summary) error {
	look := time.NewTicker(ledgerPace)
	defer look.Stop()
	for {
		used, err := d.operator.Usage(ctx, id, "")
		if err != nil {
			return err
		}
		if used.Summary == logged {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the ledger has %+v of %s, the logs %+v: %w", used.Summary, id, logged, context.Cause(ctx))
		}
	}
}

func (d *demo) bill(ctx context.Context, customer tenant.Tenant, counted tally) (DemoTenant, error) {
	used, err := d.operator.Usage(ctx, customer.ID, "")
	if err != nil {
		return DemoTenant{}, err
	}
	calls, err := d.operator.ToolCalls(ctx, usage.ToolCallFilter{Tenant: customer.ID, Period: used.Period, Limit: usage.MaxPage})
	if err != nil {
		return DemoTenant{}, err
	}
	billed := DemoTenant{ID: customer.ID, Servers: customer.Servers, Turns: counted.turns, Usage: used.Summary, Bill: used.Bill, ToolCalls: []DemoCall{}}
	for _, call := range slices.Backward(calls.Calls) {
		if call.Billable {
			billed.ToolCalls = append(billed.ToolCalls, DemoCall{Server: call.Server, Tool: call.Tool, Status: call.Status, Session: call.Session})
		}
	}
	return billed, nil
}

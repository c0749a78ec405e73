package app

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// LedgerState is what a ledger is and at which version its tables are.
type LedgerState struct {
	Engine  string `json:"engine"`
	Version int64  `json:"version"`
	// Applied are the migrations of this call, in order.
	Applied []int64 `json:"applied"`
	Zone    string  `json:"zone"`
}

// MigrateLedger brings the ledger's tables up to date, making them where there
// are none. Roles do the same when they start; this is for whoever wants it
// done before.
func (o *Operator) MigrateLedger(ctx context.Context) (LedgerState, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return LedgerState{}, err
	}
	version, applied := books.Version()
	return LedgerState{Engine: books.Engine(), Version: version, Applied: applied, Zone: books.Zone().String()}, nil
}

// LedgerVerification is a verification as it is shown.
type LedgerVerification struct {
	OK          bool               `json:"ok"`
	Rows        int                `json:"rows"`
	Rollups     int                `json:"rollups"`
	Differences []LedgerDifference `json:"differences"`
}

// LedgerDifference is one place where a ledger contradicts itself: a sum, or a
// row where Event is set.
type LedgerDifference struct {
	Tenant events.TenantID `json:"tenant"`
	Day    string          `json:"day,omitempty"`
	Key    *usage.Key      `json:"key,omitempty"`
	Event  string          `json:"event,omitempty"`
	Rows   usage.Amount    `json:"rows,omitzero"`
	Rollup usage.Amount    `json:"rollup,omitzero"`
}

// VerifyLedger holds every row of the ledger against its hash and every sum
// against its rows.
func (o *Operator) VerifyLedger(ctx context.Context) (LedgerVerification, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return LedgerVerification{}, err
	}
	found, err := books.Verify(ctx)
	if err != nil {
		return LedgerVerification{}, err
	}
	shown := LedgerVerification{OK: found.OK(), Rows: found.Rows, Rollups: found.Rollups, Differences: []LedgerDifference{}}
	for _, difference := range found.Differences {
		told := LedgerDifference{
			Tenant: difference.Tenant, Day: difference.Day, Event: difference.Event, Rows: difference.Rows, Rollup: difference.Rollup,
		}
		if difference.Event == "" {
			told.Key = &difference.Key
		}
		shown.Differences = append(shown.Differences, told)
	}
	return shown, nil
}

// QuarantinedEvent is a usage event that could not be booked, without its body.
type QuarantinedEvent struct {
	Tenant     events.TenantID `json:"tenant"`
	Subject    string          `json:"subject"`
	Sequence   uint64          `json:"sequence"`
	Event      string          `json:"event"`
	Source     string          `json:"source"`
	Reason     usage.Reason    `json:"reason"`
	Detail     string          `json:"detail"`
	RecordedAt time.Time       `json:"recorded_at"`
}

// Quarantine lists what could not be booked, the newest first; of every tenant
// when id is empty.
func (o *Operator) Quarantine(ctx context.Context, id events.TenantID) ([]QuarantinedEvent, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := books.Quarantine(ctx, id, usage.MaxPage)
	if err != nil {
		return nil, err
	}
	shown := []QuarantinedEvent{}
	for _, item := range kept {
		shown = append(shown, QuarantinedEvent{
			Tenant: item.Tenant, Subject: item.Message.Subject, Sequence: item.Message.Sequence,
			Event: item.Message.Header.Value(events.HeaderID), Source: item.Message.Header.Value(events.HeaderSource),
			Reason: item.Reason, Detail: item.Detail, RecordedAt: item.RecordedAt,
		})
	}
	return shown, nil
}

// ReplayQuarantine reads what could not be booked again, and books what can be.
func (o *Operator) ReplayQuarantine(ctx context.Context, params ledger.ReplayParams) (ledger.Replayed, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return ledger.Replayed{}, err
	}
	return books.Replay(ctx, params)
}

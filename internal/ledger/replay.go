package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// ReplayParams choose messages of the quarantine; a zero field chooses all.
type ReplayParams struct {
	Tenant events.TenantID
	Reason usage.Reason
	// AcceptUntimely books also what came too late or from the future.
	AcceptUntimely bool
	// Dry says what would be booked, and changes nothing.
	Dry bool
}

// Replayed says what became of messages that were read again.
type Replayed struct {
	// Booked are rows and corrections now, Duplicates were so before. Conflicts
	// contradict a row, and are kept with the others. All of these have left the
	// quarantine.
	Booked     int `json:"booked"`
	Duplicates int `json:"duplicates"`
	Conflicts  int `json:"conflicts"`
	// Kept cannot be booked yet.
	Kept int `json:"kept"`
}

// keptMessage is a message of the quarantine with its key there.
type keptMessage struct {
	digest  []byte
	message events.Message
}

// Replay reads messages of the quarantine again, by the rules of today, and
// books what can be booked. Each message is booked and leaves the quarantine in
// one transaction, so a replay may be cut short and begun again.
func (l *Ledger) Replay(ctx context.Context, params ReplayParams) (Replayed, error) {
	var sum Replayed
	kept, err := l.keptMessages(ctx, params)
	if err != nil {
		return sum, fmt.Errorf("replaying the quarantine: %w", err)
	}
	for _, item := range kept {
		outcome, err := l.replay(ctx, item, params)
		if err != nil {
			return sum, fmt.Errorf("replaying the quarantine: %w", err)
		}
		sum.Booked += outcome.Inserted
		sum.Duplicates += outcome.Duplicates
		sum.Conflicts += outcome.Conflicts
		sum.Kept += outcome.Quarantined
	}
	return sum, nil
}

func (l *Ledger) keptMessages(ctx context.Context, params ReplayParams) ([]keptMessage, error) {
	statement := l.dialect.bind("SELECT digest, tenant_id, reason, detail, subject, header, data, sequence, received_at, recorded_at FROM usage_quarantine" +
		" WHERE ? IN ('', tenant_id) AND ? IN ('', reason) ORDER BY recorded_at, sequence, digest")
	var kept []keptMessage
	err := l.list(ctx, params.Tenant, statement, []any{string(params.Tenant), string(params.Reason)}, func(found scanner) error {
		var digest []byte
		item, err := scanQuarantined(withFirst{found, &digest})
		kept = append(kept, keptMessage{digest: digest, message: item.Message})
		return err
	})
	return kept, err
}

// withFirst scans one more column before those that are asked for.
type withFirst struct {
	scanner

	first any
}

// Scan implements scanner.
func (w withFirst) Scan(targets ...any) error {
	return w.scanner.Scan(append([]any{w.first}, targets...)...)
}

// errUnchanged ends the transaction of a replay that changes nothing.
var errUnchanged = errors.New("nothing is changed")

func (l *Ledger) replay(ctx context.Context, item keptMessage, params ReplayParams) (usage.Outcome, error) {
	batch := usage.ReadBatch([]events.Message{item.message})
	if params.AcceptUntimely {
		for _, late := range batch.Untimely {
			batch.Rows = append(batch.Rows, late.Row)
		}
		batch.Untimely = nil
	}
	if len(batch.Rejected) > 0 {
		return usage.Outcome{Quarantined: 1}, nil
	}
	if err := l.dialect.makeRoom(ctx, l.writer, batch.Rows); err != nil {
		return usage.Outcome{}, err
	}
	drafted, err := l.draft(batch)
	if err != nil {
		return usage.Outcome{}, err
	}
	drafted.wary = true // what is replayed has often come again by itself
	var outcome usage.Outcome
	err = l.write(ctx, func(tx *transaction) (err error) {
		booking := &booking{ledger: l, tx: tx, recordedAt: l.now().UTC()}
		if outcome, err = booking.book(ctx, drafted); err != nil {
			return err
		}
		if booking.refused > 0 { // again; it stays where it is
			outcome = usage.Outcome{Quarantined: 1}
			return errUnchanged
		}
		if params.Dry {
			return errUnchanged
		}
		_, err = tx.ExecContext(ctx, l.dialect.bind("DELETE FROM usage_quarantine WHERE digest = ?"), item.digest)
		return err
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return usage.Outcome{}, err
	}
	return outcome, nil
}

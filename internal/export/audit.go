package export

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Audit is what the ledger's own books say of an export, without a word of the
// other side.
type Audit struct {
	Export string `json:"export"`
	Sink   Kind   `json:"sink"`
	Cursor int64  `json:"cursor"`
	Last   int64  `json:"last"`
	Items  int64  `json:"items"`
	// Sums are what the other side was told, or waits to be.
	Sums     []Sum    `json:"sums"`
	Findings []string `json:"findings"`
}

// AuditAll holds every export against the usage that it is of: by counts where
// each item is told, by sums where hours are, and names what the other side
// refused or may not have.
func AuditAll(ctx context.Context, books Books) ([]Audit, error) {
	exports, err := books.Exports(ctx)
	if err != nil {
		return nil, err
	}
	last, err := books.LastNumber(ctx)
	if err != nil {
		return nil, err
	}
	audits := []Audit{}
	for _, one := range exports {
		found := Audit{Export: one.Name, Cursor: one.Cursor, Last: last, Sums: []Sum{}, Findings: []string{}}
		if err := found.audit(ctx, books, one); err != nil {
			return nil, fmt.Errorf("auditing export %s: %w", one.Name, err)
		}
		audits = append(audits, found)
	}
	return audits, nil
}

func (a *Audit) audit(ctx context.Context, books Books, of usage.Export) error {
	var pinned struct {
		Sink        Kind               `json:"sink"`
		Environment events.Environment `json:"environment"`
	}
	if err := json.Unmarshal([]byte(of.Settings), &pinned); err != nil {
		return fmt.Errorf("reading its settings: %w", err)
	}
	a.Sink = pinned.Sink
	filter := Settings{Kind: pinned.Sink, Environment: pinned.Environment}.filter()
	filter.Through = of.Cursor
	sums, count, err := sumsOf(ctx, books, filter)
	if err != nil {
		return err
	}
	a.Sums, a.Items = append(a.Sums, sums...), count
	if count != of.Items {
		a.Findings = append(a.Findings, fmt.Sprintf("%d items were told, the ledger has %d of these numbers", of.Items, count))
	}
	if of.Cursor > a.Last || of.Planned > a.Last {
		a.Findings = append(a.Findings, fmt.Sprintf("it has come to number %d, the ledger's last is %d", of.Planned, a.Last))
	}
	if pinned.Sink != KindStripe {
		return nil
	}
	sends, err := books.Sends(ctx, of.Name)
	if err != nil {
		return err
	}
	differences, _, err := checkWindows(ctx, books, windowed{export: of.Name, sends: sends, filter: filter})
	for _, difference := range differences {
		a.Findings = append(a.Findings, difference.tell())
	}
	a.Findings = append(a.Findings, troubles(sends)...)
	return err
}

func (d Difference) tell() string {
	of := d.Ours
	if of == (Sum{}) {
		of = d.Theirs
	}
	return fmt.Sprintf("%s %s of %s: %s: used %s, told or waiting %s", of.Meter, of.Unit, of.Tenant, d.Why, d.Ours.Total, d.Theirs.Total)
}

// troubles names the sums that the other side has not, or perhaps.
func troubles(sends []usage.Send) []string {
	var found []string
	for _, send := range sends {
		switch send.State {
		case usage.SendRefused, usage.SendCorrection, usage.SendUnknown, usage.SendHeld:
			found = append(found, fmt.Sprintf("%s (%s %s of %s) is %s: %s",
				send.Identifier, send.Value, send.Unit, send.Start.Format(time.RFC3339), send.State, send.Detail))
		case usage.SendReady, usage.SendTried, usage.SendAccepted:
		}
	}
	return found
}

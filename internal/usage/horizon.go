package usage

import (
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// How far an event's own time may be from that of its arrival at the broker.
const (
	// LateHorizon is how late an event may arrive and still be billed.
	LateHorizon = 35 * 24 * time.Hour
	// FutureHorizon allows for clocks that are not the same.
	FutureHorizon = 5 * time.Minute
)

// Untimely is a row that may only be what the ledger has already: as a new one
// it is not booked but kept in quarantine. An event that was in time once stays
// so, however late it is delivered again.
type Untimely struct {
	Row     Row
	Message events.Message
	Reason  Reason
}

// untimely says why a row is outside the horizon. Both times are the message's,
// so the verdict is the same on every reading.
func (r Row) untimely() (Reason, bool) {
	switch late := r.ReceivedAt.Sub(r.OccurredAt); {
	case r.ReceivedAt.IsZero():
		return "", false
	case late > LateHorizon:
		return ReasonTooLate, true
	case late < -FutureHorizon:
		return ReasonFuture, true
	default:
		return "", false
	}
}

// Rejected is the untimely row as quarantine keeps it.
func (u Untimely) Rejected() Rejected {
	detail := fmt.Sprintf("header %s is %s, the broker received the message at %s",
		events.HeaderTime, u.Row.OccurredAt.Format(time.RFC3339), u.Row.ReceivedAt.Format(time.RFC3339))
	return Rejected{Tenant: u.Row.Tenant, Message: u.Message, Reason: u.Reason, Detail: detail}
}

package events

import (
	"fmt"
	"strconv"
	"strings"
)

// RunEnded is the hint that a run has left RUNS (core NATS). It is all subject
// and no body: it is where the broker's own answer to a worker's
// acknowledgement goes, so it cannot overtake the end that it tells of.
type RunEnded struct {
	Tenant   TenantID
	Sequence uint64 // of the request
	// Released is set when the request was not finished and wants a new grant.
	Released bool
}

// The last token of a hint's subject.
const (
	doneServed   = "served"
	doneReleased = "released"
)

// Subject is where the hint is told.
func (e RunEnded) Subject() string {
	last := doneServed
	if e.Released {
		last = doneReleased
	}
	return root + ".done." + string(e.Tenant) + "." + strconv.FormatUint(e.Sequence, 10) + "." + last
}

// ParseRunEnded reads the hint from its subject. The tenant may be [IllegalTenant].
func ParseRunEnded(subject string) (RunEnded, error) {
	foreign := fmt.Errorf("%w: %q is no ended run's", ErrForeignSubject, subject)
	parts := strings.Split(subject, ".")
	if len(parts) != 5 || parts[0] != root || parts[1] != "done" {
		return RunEnded{}, foreign
	}
	sequence, err := strconv.ParseUint(parts[3], 10, 64)
	if err != nil || parts[4] != doneServed && parts[4] != doneReleased {
		return RunEnded{}, foreign
	}
	return RunEnded{Tenant: TenantID(parts[2]), Sequence: sequence, Released: parts[4] == doneReleased}, nil
}

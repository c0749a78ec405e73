package chaos

import (
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
)

// Rule is a promise that a log can be seen to break.
type Rule string

// Rules.
const (
	// RuleCap: never more requests of a tenant running than its cap.
	RuleCap Rule = "cap"
	// RuleOverlap: one running turn in a session.
	RuleOverlap Rule = "overlap"
	// RuleOrder: turns of a session start and end in the order of REQUESTS.
	RuleOrder Rule = "order"
	// RuleLost: what the broker acknowledged has an ending.
	RuleLost Rule = "lost"
	// RuleDoubled: one ending for each request.
	RuleDoubled Rule = "doubled"
	// RuleRevived: nothing is written for a request that has ended.
	RuleRevived Rule = "revived"
	// RuleUnstarted: no work is done for a request that has not started.
	RuleUnstarted Rule = "unstarted"
	// RuleRepeated: one fact stands in the log once.
	RuleRepeated Rule = "repeated"
	// RuleUnasked: nothing runs that nobody asked for, nor under another
	// sequence than the broker acknowledged, which would make RuleOrder void.
	RuleUnasked Rule = "unasked"
	// RuleShuffled: the log was read in the order of its sequences; else no
	// other finding means anything.
	RuleShuffled Rule = "shuffled"
)

// Key names a request: an id is unique in its session.
type Key struct {
	Tenant  events.TenantID
	Session events.SessionID
	ID      events.RequestID
}

// Asked is a request as its producer knows it.
type Asked struct {
	Key

	Kind events.Kind
	// Stored is set when the broker acknowledged it. One that it did not
	// acknowledge may run or not.
	Stored bool
	// Sequence is what the broker acknowledged it with; 0 when it is not known.
	Sequence uint64
}

// Trial is what is judged.
type Trial struct {
	Caps map[events.TenantID]int
	// Asked may name a request more than once: it was published more than once,
	// and must run once.
	Asked []Asked
	// Log is every event of SESSIONS, in the order of the stream. That order is
	// the broker's and total, so no clock is trusted.
	Log []events.Record
}

// Fault is one broken promise.
type Fault struct {
	Rule     Rule
	Key      Key
	Sequence uint64 // in SESSIONS; 0 when it is about what is not there
	Detail   string
}

// String implements fmt.Stringer.
func (f Fault) String() string {
	return fmt.Sprintf("%s: %s/%s/%s at %d: %s", f.Rule, f.Key.Tenant, f.Key.Session, f.Key.ID, f.Sequence, f.Detail)
}

// Findings are what a log says.
type Findings struct {
	Faults []Fault
	// Peaks are the most requests of a tenant that ran at one moment.
	Peaks map[events.TenantID]int
	// Endings counts requests by how they ended.
	Endings map[events.TurnStatus]int
	// Reasons counts the endings that are not completed by their reason.
	Reasons map[string]int
	// Takeovers counts starts beyond a request's first.
	Takeovers int
	// Replies counts the model's replies in the log.
	Replies int
}

// Judge goes through the log once.
//
// A request runs from its first turn.started to its turn.completed. One whose
// worker died stays running in this count until somebody has ended it, and
// rightly so: its run holds its place in RUNS meanwhile, so it still counts
// against the cap. The one exception is a run that a worker gave back at
// SIGTERM: its request waits in the queue again, started and not running, and
// the log alone counts it too high. A trial must therefore not use SIGTERM.
func (t Trial) Judge() Findings {
	c := &court{
		caps: t.Caps, asked: make(map[Key]*asking), requests: make(map[Key]*request), sessions: make(map[Key]*turns),
		running: make(map[events.TenantID]int), facts: make(map[string]bool),
		findings: Findings{Peaks: map[events.TenantID]int{}, Endings: map[events.TurnStatus]int{}, Reasons: map[string]int{}},
	}
	for _, asked := range t.Asked {
		c.ask(asked)
	}
	for _, record := range t.Log {
		c.hear(record)
	}
	var missed []Key
	for _, asked := range t.Asked {
		if asked.Stored && c.request(asked.Key).ended == 0 && !slices.Contains(missed, asked.Key) {
			missed = append(missed, asked.Key)
			c.fault(RuleLost, asked.Key, fmt.Sprintf("acknowledged, and started %d times, it has no ending", c.request(asked.Key).starts))
		}
	}
	return c.findings
}

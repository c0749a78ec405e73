package chaos

import (
	"fmt"

	"github.com/feira-dev/feira/events"
)

// court is a log being judged.
type court struct {
	caps     map[events.TenantID]int
	asked    map[Key]*asking
	requests map[Key]*request
	sessions map[Key]*turns // by key without an id
	running  map[events.TenantID]int
	facts    map[string]bool
	sequence uint64 // of the event in hand
	findings Findings
}

// asking is what was asked for under one key.
type asking struct {
	kind      events.Kind
	sequences map[uint64]bool // acknowledged; all there are unless one is unsure
	unsure    bool
}

func (c *court) ask(asked Asked) {
	if c.asked[asked.Key] == nil {
		c.asked[asked.Key] = &asking{kind: asked.Kind, sequences: make(map[uint64]bool)}
	}
	one := c.asked[asked.Key]
	one.sequences[asked.Sequence] = true
	one.unsure = one.unsure || asked.Sequence == 0
}

// requireAsked holds an event of a request against what was asked for.
func (c *court) requireAsked(key Key, sequence uint64) {
	one := c.asked[key]
	switch {
	case one == nil:
		c.fault(RuleUnasked, key, "nobody asked for it")
	case !one.unsure && !one.sequences[sequence]:
		c.fault(RuleUnasked, key, fmt.Sprintf("it says that it is request %d, which is another one", sequence))
	}
}

// request is what the log has said of one so far.
type request struct {
	starts, ended int
}

// turns is what the log has said of a session's turns so far, by the sequence
// of their requests.
type turns struct {
	busy                   map[Key]bool
	lastStarted, lastEnded uint64
}

func (c *court) request(key Key) *request {
	if c.requests[key] == nil {
		c.requests[key] = &request{}
	}
	return c.requests[key]
}

func (c *court) turns(key Key) *turns {
	key.ID = ""
	if c.sessions[key] == nil {
		c.sessions[key] = &turns{busy: make(map[Key]bool)}
	}
	return c.sessions[key]
}

func (c *court) fault(rule Rule, key Key, detail string) {
	c.findings.Faults = append(c.findings.Faults, Fault{Rule: rule, Key: key, Sequence: c.sequence, Detail: detail})
}

func (c *court) hear(record events.Record) {
	key := Key{Tenant: record.Tenant, Session: record.Session, ID: record.Request}
	before := c.sequence
	c.sequence = record.Sequence
	if record.Sequence <= before {
		c.fault(RuleShuffled, key, fmt.Sprintf("it was read after %d", before))
	}
	fact := record.Source + " " + record.ID
	if c.facts[fact] {
		c.fault(RuleRepeated, key, record.ID+" stands here again")
	}
	c.facts[fact] = true
	switch event := record.Event.(type) {
	case *events.SessionOpened, *events.SessionClosed, *events.BudgetReached, *events.WebhookReceived:
		return
	case *events.TurnStarted:
		c.started(key, event)
	case *events.TurnCompleted:
		c.completed(key, event)
	case *events.ModelReplied:
		c.findings.Replies++
		c.worked(key, record.ID)
	default:
		c.worked(key, record.ID)
	}
}

func (c *court) started(key Key, event *events.TurnStarted) {
	one := c.request(key)
	one.starts++
	if one.ended > 0 {
		c.fault(RuleRevived, key, "it is started after its ending")
		return
	}
	if one.starts > 1 {
		c.findings.Takeovers++
		return
	}
	c.requireAsked(key, event.RequestSequence)
	c.running[key.Tenant]++
	now, limit := c.running[key.Tenant], c.caps[key.Tenant]
	c.findings.Peaks[key.Tenant] = max(c.findings.Peaks[key.Tenant], now)
	if now > limit {
		c.fault(RuleCap, key, fmt.Sprintf("it is number %d of its tenant to run, and %d may", now, limit))
	}
	if event.Kind != events.KindTurn {
		return
	}
	session := c.turns(key)
	for other := range session.busy {
		c.fault(RuleOverlap, key, fmt.Sprintf("it is started while %s runs", other.ID))
	}
	if event.RequestSequence < session.lastStarted {
		c.fault(RuleOrder, key, fmt.Sprintf("request %d is started after %d", event.RequestSequence, session.lastStarted))
	}
	session.busy[key] = true
	session.lastStarted = max(session.lastStarted, event.RequestSequence)
}

func (c *court) completed(key Key, event *events.TurnCompleted) {
	c.requireAsked(key, event.RequestSequence)
	one := c.request(key)
	one.ended++
	if one.ended > 1 {
		c.fault(RuleDoubled, key, fmt.Sprintf("this is its ending number %d", one.ended))
		return
	}
	c.findings.Endings[event.Status]++
	if event.Status != events.TurnCompletedOK {
		c.findings.Reasons[event.Reason]++
	}
	if one.starts > 0 { // what is refused ends without a start
		c.running[key.Tenant]--
	}
	if asked := c.asked[key]; asked == nil || asked.kind != events.KindTurn {
		return
	}
	session := c.turns(key)
	delete(session.busy, key)
	if event.RequestSequence < session.lastEnded {
		c.fault(RuleOrder, key, fmt.Sprintf("request %d is ended after %d", event.RequestSequence, session.lastEnded))
	}
	session.lastEnded = max(session.lastEnded, event.RequestSequence)
}

// worked takes in a fact from the middle of a request.
func (c *court) worked(key Key, id string) {
	one := c.request(key)
	switch {
	case one.ended > 0:
		c.fault(RuleRevived, key, id+" comes after its ending")
	case one.starts == 0:
		c.fault(RuleUnstarted, key, id+" comes before its start")
	}
}

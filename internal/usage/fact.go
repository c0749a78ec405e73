package usage

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/feira-dev/feira/events"
)

// SessionFacts is what a usage event says beyond the fact that caused it. It
// follows from the session's log alone, so it is the same after a restart.
type SessionFacts struct {
	// Environment and Metadata are those of session.opened.
	Environment events.Environment
	Metadata    map[string]string
	// Request is the metadata of the request's first turn.started.
	Request map[string]string
}

// FromRecord is the one usage event of a fact: of each tool.returned and each
// model.replied, and of nothing else. The id is that of the fact and the source
// its session, so metering a fact again gives the same event. What it makes is
// always fit for [ReadRow]: texts that a model may have made up are cut to
// bounds. The record must be valid.
func FromRecord(record events.Record, session SessionFacts) (events.Envelope, *events.UsageRecorded, bool) {
	var recorded *events.UsageRecorded
	switch event := record.Event.(type) {
	case *events.ToolReturned:
		recorded = fromTool(event)
	case *events.ModelReplied:
		recorded = fromModel(event)
	default:
		return events.Envelope{}, nil, false
	}
	recorded.Session = record.Session
	recorded.Request = record.Request
	recorded.Environment = session.Environment
	recorded.Metadata = stamp(session)
	return events.Envelope{
		ID:      causeID(record.ID),
		Source:  events.SessionSource(record.Tenant, record.Session),
		Type:    events.TypeUsageRecorded,
		Time:    record.Time,
		Tenant:  record.Tenant,
		Session: record.Session,
		Request: record.Request,
		Trace:   record.Trace,
	}, recorded, true
}

func fromTool(event *events.ToolReturned) *events.UsageRecorded {
	return &events.UsageRecorded{
		Meter:      events.MeterToolCall,
		Server:     clip(event.Server, MaxText),
		Tool:       clip(event.Tool, MaxText),
		Outcome:    string(event.Status),
		Billable:   billable(event),
		Quantities: []events.Quantity{{Unit: events.UnitCall, Amount: "1"}},
		Attempts:   max(event.Attempts, 0),
		DurationMS: max(event.DurationMS, 0),
	}
}

func fromModel(event *events.ModelReplied) *events.UsageRecorded {
	return &events.UsageRecorded{
		Meter:    events.MeterModelReply,
		Model:    clip(event.Model, MaxText),
		Outcome:  string(events.ToolOK),
		Billable: true,
		Quantities: []events.Quantity{
			{Unit: events.UnitInputToken, Amount: tokens(event.Usage.InputTokens)},
			{Unit: events.UnitOutputToken, Amount: tokens(event.Usage.OutputTokens)},
		},
		Attempts:   1,
		DurationMS: max(event.DurationMS, 0),
	}
}

// billable holds for whatever may have reached a provider. An outcome that
// nobody knows is billed, and the row says so. What the session's mocks answered
// has reached nobody.
func billable(event *events.ToolReturned) bool {
	if event.Mock != nil {
		return false
	}
	switch event.Status {
	case events.ToolOK, events.ToolError, events.ToolUnknown:
		return true
	case events.ToolRefused:
		return false
	default:
		return false
	}
}

func tokens(count int64) string { return strconv.FormatInt(max(count, 0), 10) }

// stamp lays the request's metadata over the session's. Above [MaxMetadata]
// keys are kept in their order while they fit: metadata never costs the row.
func stamp(session SessionFacts) map[string]string {
	if len(session.Metadata) == 0 && len(session.Request) == 0 {
		return nil
	}
	given := make(map[string]string, len(session.Metadata)+len(session.Request))
	maps.Copy(given, session.Metadata)
	maps.Copy(given, session.Request)
	stamped := make(map[string]string, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		stamped[wellFormed(key)] = wellFormed(given[key])
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(stamped)) {
		if grown := size + len(key) + len(stamped[key]); grown <= MaxMetadata {
			size = grown
			continue
		}
		delete(stamped, key)
	}
	return stamped
}

// wellFormed is a text as it will be on the wire: JSON makes three bytes of each
// one that is no UTF-8, so what fits before that may not fit after it.
func wellFormed(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

// causeID is the id of the cause, or a digest of it where no ledger would take it.
func causeID(id string) string {
	if checkText("id", id, MaxID) == nil {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// MessageID is the broker's id of an event. It begins with the tenant because a
// broker filters doubles by stream: without it one tenant's id would swallow
// another's.
func MessageID(env events.Envelope) string {
	sum := sha256.Sum256([]byte(env.Source))
	return string(env.Tenant) + ":" + hex.EncodeToString(sum[:8]) + ":" + env.ID
}

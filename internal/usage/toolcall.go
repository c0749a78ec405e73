package usage

import (
	"time"

	"github.com/feira-dev/feira/events"
)

// Bounds of a page of tool calls.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// ToolCall is one tool call as it is billed.
type ToolCall struct {
	// ID is unique within the session.
	ID          string
	Tenant      events.TenantID
	Session     events.SessionID
	Request     events.RequestID
	Server      string
	Tool        string
	Status      events.ToolStatus
	Billable    bool
	Environment events.Environment
	Attempts    int
	Duration    time.Duration
	Metadata    map[string]string
	// CalledAt is when the call returned, which decides its period.
	CalledAt time.Time
}

// CallOutcome is whether a call went well.
type CallOutcome string

// Outcomes of calls, as the usage API calls them.
const (
	CallSuccess CallOutcome = "success"
	CallError   CallOutcome = "error"
)

// ToolCallFilter chooses tool calls; a zero field chooses all.
type ToolCallFilter struct {
	Tenant      events.TenantID
	Session     events.SessionID
	Server      string
	Tool        string
	Environment events.Environment
	// Outcome chooses those that went well, or those that did not.
	Outcome CallOutcome
	Period  Period
	// Cursor is the Next of the page before.
	Cursor string
	// Limit is the size of a page. Defaults to [DefaultPage], at most [MaxPage].
	Limit int
}

// ToolCallPage is a run of tool calls, the newest first.
type ToolCallPage struct {
	Calls []ToolCall
	// Next asks for what follows; empty on the last page.
	Next string
}

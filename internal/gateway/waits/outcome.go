package waits

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
)

// Outcome is a request as its records tell of it.
type Outcome struct {
	Request events.RequestID
	Kind    events.Kind
	// Asked is the caller's message.
	Asked string
	// Started is the time of the first start; zero while there is none, and of a
	// request that was ended without being run.
	Started time.Time
	// Calls are the tool calls with an outcome, in the order asked for.
	Calls []Call
	// Ending is how the request ended, nil before that.
	Ending *events.TurnCompleted
	// EndedAt is the time of the ending.
	EndedAt time.Time

	replies int
	intents map[intent]json.RawMessage // inputs of the calls that the model asked for
}

// intent is a call's place in its request.
type intent struct{ iteration, index int }

// Call is a tool call with its outcome.
type Call struct {
	ID        events.ToolCallID
	Iteration int // 0 for a call request
	Index     int
	// Name is the tool as the caller or the model named it, "server__tool";
	// Server and Tool are what it was taken for.
	Name   string
	Server string
	Tool   string
	Status events.ToolStatus
	// Input is what the tool was called with, a string where the model did not
	// write JSON. Output is JSON too: the provider's answer, a string where that
	// is none, or the fault as an object with code and message.
	Input  json.RawMessage
	Output json.RawMessage
	// ErrorCode is the fault's, empty when the call went well.
	ErrorCode string
	// Error is the fault's sentence for people.
	Error string
	// Key is the idempotency key that went to the provider.
	Key      string
	CalledAt time.Time
	Duration time.Duration
}

// OK reports whether the call did what it was to do.
func (c Call) OK() bool { return c.Status == events.ToolOK }

// Ended reports whether the request has its ending.
func (o Outcome) Ended() bool { return o.Ending != nil }

// Message is the final answer; empty before it and when there is none.
func (o Outcome) Message() string {
	if o.Ending == nil {
		return ""
	}
	return o.Ending.Message
}

// Iterations is how many replies the model gave.
func (o Outcome) Iterations() int {
	if o.Ending != nil {
		return o.Ending.Iterations
	}
	return o.replies
}

// Call is the outcome of the call in that place; false while there is none.
func (o Outcome) Call(iteration, index int) (Call, bool) {
	i, found := o.search(iteration, index)
	if !found {
		return Call{}, false
	}
	return o.Calls[i], true
}

func (o Outcome) search(iteration, index int) (int, bool) {
	return slices.BinarySearchFunc(o.Calls, intent{iteration, index}, func(c Call, at intent) int {
		return cmp.Or(cmp.Compare(c.Iteration, at.iteration), cmp.Compare(c.Index, at.index))
	})
}

// fold takes in a record of the request. The first word on each thing counts,
// as in the session's own fold.
func (o *Outcome) fold(record events.Record) {
	switch event := record.Event.(type) {
	case *events.TurnStarted:
		if o.Started.IsZero() {
			o.Started, o.Kind, o.Asked = record.Time, event.Kind, event.Message
			if event.Call != nil {
				o.intend(intent{}, string(event.Call.Arguments))
			}
		}
	case *events.ModelReplied:
		o.replies = max(o.replies, event.Iteration)
		for index, call := range event.ToolCalls {
			o.intend(intent{event.Iteration, index}, call.Arguments)
		}
	case *events.ToolReturned:
		if at, again := o.search(event.Iteration, event.Index); !again {
			// Outcomes handed out share what lies before; they are not written to.
			o.Calls = slices.Insert(slices.Clone(o.Calls), at, o.call(record, event))
		}
	case *events.TurnCompleted:
		if o.Ending == nil {
			o.Ending, o.EndedAt = event, record.Time
		}
	}
}

func (o *Outcome) intend(at intent, arguments string) {
	if o.intents == nil {
		o.intents = make(map[intent]json.RawMessage)
	}
	if _, again := o.intents[at]; !again {
		o.intents[at] = JSON(arguments)
	}
}

func (o *Outcome) call(record events.Record, event *events.ToolReturned) Call {
	took := time.Duration(event.DurationMS) * time.Millisecond
	call := Call{
		ID:        events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: event.Iteration, Index: event.Index}.ID(),
		Iteration: event.Iteration, Index: event.Index,
		Name: event.Name, Server: event.Server, Tool: event.Tool, Status: event.Status, Key: event.Key,
		Input: o.intents[intent{event.Iteration, event.Index}], Output: JSON(event.Output),
		CalledAt: record.Time.Add(-took), Duration: took,
	}
	if call.Input == nil {
		call.Input = JSON("")
	}
	if fault := event.Error; fault != nil {
		call.ErrorCode, call.Error = fault.Code, fault.Message
		call.Output, _ = json.Marshal(fault) // two strings
		if typed, ok := mock.OutcomeOf(event); ok {
			call.Output, _ = json.Marshal(typed) // three of them
		}
	}
	return call
}

// JSON is the text where it is JSON, an empty object where it is blank, and
// the text as a string otherwise.
func JSON(text string) json.RawMessage {
	if strings.TrimSpace(text) == "" {
		return json.RawMessage(`{}`)
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // a string always can be
	return quoted
}

package app

import (
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// Narrate tells a session event in words: the step, what it was about, and how
// long it took, zero where that says nothing.
func Narrate(record events.Record) (step, detail string, took time.Duration) {
	milliseconds := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	switch event := record.Event.(type) {
	case *events.SessionOpened:
		return "open", "servers " + strings.Join(event.Servers, ", "), 0
	case *events.TurnStarted:
		return narrateStart(event)
	case *events.ModelReplied:
		var tools []string
		for _, call := range event.ToolCalls {
			tools = append(tools, call.Name)
		}
		if len(tools) > 0 {
			return "model", "wants " + strings.Join(tools, ", "), milliseconds(event.DurationMS)
		}
		return "model", event.Text, milliseconds(event.DurationMS)
	case *events.ToolReturned:
		detail = event.Name + " " + string(event.Status)
		if event.Error != nil {
			detail += ": " + event.Error.Code
		}
		if event.Mock != nil {
			detail += " (mock)"
		}
		return "tool", detail, milliseconds(event.DurationMS)
	case *events.TurnCompleted:
		detail = string(event.Status) + ", " + strconv.Itoa(event.ToolCalls) + " tool calls"
		if event.Reason != "" {
			detail = string(event.Status) + ", " + event.Reason + ": " + event.Detail
		}
		return "end", detail, milliseconds(event.DurationMS)
	case *events.SessionClosed:
		return "close", event.Reason, 0
	case *events.WebhookReceived:
		return "webhook", event.Server + " " + event.Kind + " " + event.Object, 0
	default:
		return "event", string(record.Type), 0
	}
}

func narrateStart(event *events.TurnStarted) (step, detail string, took time.Duration) {
	switch {
	case event.Attempt > 1:
		return "take over", "attempt " + strconv.Itoa(event.Attempt) + " by " + event.Worker, 0
	case event.Call != nil:
		return "call", event.Call.Tool, 0
	default:
		return "turn", event.Message, 0
	}
}

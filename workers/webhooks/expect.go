package webhooks

import (
	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
)

// Reference is what a call gives a server to know its effect by.
type Reference struct {
	Server string
	Text   string
}

// expected are the references that calls give. They are claimed once calls are
// asked for and before anybody can know what comes of them: the answer of a call
// may be lost, with the worker that made it or without, and then the provider's
// event is the first to tell what it made. A call that is never sent leaves a
// reference that no event bears.
func (x *Index) expected(record events.Record) []claim {
	var found []claim
	for _, intent := range intents(record.Event) {
		server, tool, ok := agent.SplitTool(intent.Call.Name)
		if !ok {
			continue
		}
		key, err := agent.CallKey(record.Tenant, record.Session, record.Request, intent)
		if err != nil {
			continue // it is refused
		}
		place := events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: intent.Iteration, Index: intent.Index}
		for _, one := range x.references(server, tool, key) {
			found = append(found, claim{referenceKey(record.Tenant, one.Server, one.Text), place, record.Sequence})
		}
	}
	return found
}

// intents are the calls that an event asks for. Of a request that is taken over
// the first start has told.
func intents(event events.Event) []session.Intent {
	switch event := event.(type) {
	case *events.TurnStarted:
		if event.Call == nil {
			return nil
		}
		return []session.Intent{{Call: events.ToolCall{Name: event.Call.Tool, Arguments: string(event.Call.Arguments)}}}
	case *events.ModelReplied:
		asked := make([]session.Intent, len(event.ToolCalls))
		for index, call := range event.ToolCalls {
			asked[index] = session.Intent{Iteration: event.Iteration, Index: index, Call: call}
		}
		return asked
	default:
		return nil
	}
}

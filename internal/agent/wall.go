package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// passage is a tool call that has passed the walls.
type passage struct {
	call   Call
	safety Safety
}

// pass holds a tool call against the walls of its session: the server must be
// one that the session was opened with and that the tenant still has, the tool
// must exist there, the arguments must be an object. What does not pass is
// refused with a fault that the model can act on.
func (l *Loop) pass(ctx context.Context, scope Scope, turn *session.Turn, intent session.Intent) (passage, *events.ToolFault) {
	server, tool, ok := SplitTool(intent.Call.Name)
	if !ok {
		return passage{}, &events.ToolFault{
			Code:    events.FaultUnknownTool,
			Message: fmt.Sprintf("tool %q is not of the form server__tool", clip(intent.Call.Name)),
		}
	}
	state, reach := scope.State, scope.Reach()
	if !reach.Has(server) {
		return passage{}, &events.ToolFault{
			Code:    events.FaultServerNotInSession,
			Message: fmt.Sprintf("server %q is not connected to this session; it has %s", clip(server), strings.Join(reach.Servers, ", ")),
		}
	}
	safety, known := l.cfg.Catalogue.Safety(ctx, reach, server, tool)
	if !known {
		return passage{}, &events.ToolFault{
			Code:    events.FaultUnknownTool,
			Message: fmt.Sprintf("server %q has no tool %q", server, clip(tool)),
		}
	}
	arguments, err := canonical(intent.Call.Arguments)
	if err != nil {
		return passage{}, &events.ToolFault{Code: events.FaultInvalidArguments, Message: err.Error()}
	}
	return passage{
		safety: safety,
		call: Call{
			Tenant: state.Tenant, Session: state.ID, Request: turn.Request, Environment: state.Environment,
			Server: server, Tool: tool, Arguments: json.RawMessage(arguments),
			Key:   callKey(state.Tenant, state.ID, turn.Request, intent, arguments),
			Reach: reach,
		},
	}, nil
}

// clip shortens a text that a model made up, for use in a message.
func clip(text string) string {
	const limit = 80
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

package agent

import (
	"cmp"
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
	// mock is the tool's name among the session's mocks where they answer the
	// call, which is then not sent.
	mock string
}

// pass holds a tool call against the walls of its session: the server must be
// one that the session was opened with and that the tenant still has, the tool
// must exist there, the arguments must be an object. What does not pass is
// refused with a fault that the model can act on. Where mocks answer, a tool
// exists that they name, and the catalogue, which may ask a server, is not asked.
func (l *Loop) pass(ctx context.Context, scope Scope, turn *session.Turn, intent session.Intent) (passage, *events.ToolFault) {
	server, tool, fault := splitCall(intent.Call.Name)
	if fault != nil {
		return passage{}, fault
	}
	state, reach := scope.State, l.reach(scope)
	reach.Direct = turn.Kind == events.KindCall
	if !reach.Has(server) {
		return passage{}, &events.ToolFault{
			Code:    events.FaultServerNotInSession,
			Message: fmt.Sprintf("server %q is not connected to this session; it has %s", clip(server), cmp.Or(strings.Join(reach.Servers, ", "), "none")),
		}
	}
	var safety Safety
	mocked := l.mocked(state, server, tool)
	if mocked == "" {
		var known bool
		if safety, known = l.cfg.Catalogue.Safety(ctx, reach, server, tool); !known {
			return passage{}, &events.ToolFault{
				Code:    events.FaultUnknownTool,
				Message: fmt.Sprintf("server %q has no tool %q", server, clip(tool)),
			}
		}
	}
	arguments, err := canonical(intent.Call.Arguments)
	if err != nil {
		return passage{}, &events.ToolFault{Code: events.FaultInvalidArguments, Message: err.Error()}
	}
	return passage{
		safety: safety,
		mock:   mocked,
		call: Call{
			Tenant: state.Tenant, Session: state.ID, Request: turn.Request, Environment: state.Environment,
			Server: server, Tool: tool, Arguments: json.RawMessage(arguments),
			Key:   callKey(state.Tenant, state.ID, turn.Request, intent, arguments),
			Reach: reach,
		},
	}, nil
}

// splitCall reads the name that a model calls a tool by, which it may have made up.
func splitCall(name string) (server, tool string, fault *events.ToolFault) {
	server, tool, ok := SplitTool(name)
	if !ok {
		return "", "", &events.ToolFault{
			Code:    events.FaultUnknownTool,
			Message: fmt.Sprintf("tool %q is not of the form server__tool", clip(name)),
		}
	}
	if len(tool) > maxToolName {
		return "", "", &events.ToolFault{
			Code:    events.FaultUnknownTool,
			Message: fmt.Sprintf("the name of tool %q has %d bytes, at most %d are allowed", clip(tool), len(tool), maxToolName),
		}
	}
	return server, tool, nil
}

// clip shortens a text that a model made up, for use in a message.
func clip(text string) string {
	const limit = 80
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

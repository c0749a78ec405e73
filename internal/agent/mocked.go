package agent

import (
	"fmt"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/session"
)

// mocked is the name that a tool has among the session's mocks where they
// answer its calls, empty where its provider does. A session that was opened
// with mocks keeps to them whatever the operator's flag says since.
func (l *Loop) mocked(state *session.State, server, tool string) string {
	name := mockName(server, tool)
	if !l.testing(state) || mock.BuiltIn(name) {
		return ""
	}
	return name
}

// testing reports whether mocks answer the session's calls.
func (l *Loop) testing(state *session.State) bool {
	return state.Mocks != nil || l.cfg.TestMode && state.Environment == events.EnvironmentTest
}

// reach is the scope's, marked where mocks answer.
func (l *Loop) reach(scope Scope) Reach {
	reach := scope.Reach()
	reach.Mocked = l.testing(scope.State)
	return reach
}

// mockName is the tool's name in mocks: server/tool, or that of one of Feira's own.
func mockName(server, tool string) string {
	if server == OwnServer && strings.HasPrefix(tool, ownPrefix) {
		return tool
	}
	return server + "/" + tool
}

// answered is a tool call's outcome by the session's mocks as the log stands
// now. Whatever goes wrong here is an outcome too: there is nobody else to ask.
func answered(state *session.State, name string, returned events.ToolReturned) (outcome *events.ToolReturned) {
	returned.Mock = &events.MockAnswer{Tool: name}
	defer func() {
		if cause := recover(); cause != nil {
			returned.Status, returned.Output = events.ToolError, ""
			returned.Error = &events.ToolFault{Code: events.FaultMocksEngine, Message: fmt.Sprintf("the mocks broke down: %T", cause)}
			outcome = &returned
		}
	}()
	answer := state.Mocks.Answer(name, state.Answered(name))
	returned.Mock.Index = answer.Index
	returned.Status, returned.Output = events.ToolOK, answer.Output
	if answer.Fault != nil {
		returned.Status, returned.Error = events.ToolError, answer.Fault
	}
	return &returned
}

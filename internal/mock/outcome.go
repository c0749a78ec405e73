package mock

import "github.com/feira-dev/feira/events"

// BuiltIn reports whether a tool is one of those that tell of the session
// itself and reach nothing outside: mocks do not stand in for them.
func BuiltIn(tool string) bool {
	switch tool {
	case "codespar_list_tools", "codespar_discover", "codespar_manage_connections":
		return true
	default:
		return false
	}
}

// Outcome is a fault of the mocks as CodeSpar's protocol tells it to a caller.
type Outcome struct {
	// Code is one of events.FaultToolNotMocked, events.FaultMocksExhausted and
	// events.FaultMocksEngine.
	Code string `json:"code"`
	// ToolName is set for events.FaultToolNotMocked.
	ToolName string `json:"tool_name,omitempty"`
	Message  string `json:"message"`
}

// OutcomeOf is what a tool call tells its caller when the mocks had no answer
// for it; false for every other outcome.
func OutcomeOf(returned *events.ToolReturned) (Outcome, bool) {
	if returned.Mock == nil || returned.Error == nil {
		return Outcome{}, false
	}
	outcome := Outcome{Code: returned.Error.Code, Message: returned.Error.Message}
	if outcome.Code == events.FaultToolNotMocked {
		outcome.ToolName = returned.Mock.Tool
	}
	return outcome, true
}

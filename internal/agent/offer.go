package agent

import (
	"regexp"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// MaxPromptTools is how many tools a prompt offers at most. OpenAI's API takes
// 128 and answers one more with array_above_max_length ("Invalid 'tools': array
// too long. Expected an array with maximum length 128"). What is not offered
// can be called all the same, and is found by Feira's own tools for that.
const MaxPromptTools = 128

// Feira's own tools whose answers name others.
const (
	toolListTools = ownPrefix + "list_tools"
	toolDiscover  = ownPrefix + "discover"
)

// offered are the tools that a prompt offers, of those within reach: all while
// there is room; otherwise Feira's own, then those that the session has met,
// the latest first, then the others in their order. It follows from the log
// alone, so that whoever goes on with the turn offers the same.
func offered(tools []Tool, history []*session.Turn, turn *session.Turn) []Tool {
	if len(tools) <= MaxPromptTools {
		return tools
	}
	places := make(map[string]int, len(tools))
	for i, tool := range tools {
		places[tool.Name] = i
	}
	picked := make([]Tool, 0, MaxPromptTools)
	taken := make([]bool, len(tools))
	take := func(i int) {
		if len(picked) < MaxPromptTools && !taken[i] {
			taken[i] = true
			picked = append(picked, tools[i])
		}
	}
	for i, tool := range tools {
		if server, _, ok := SplitTool(tool.Name); ok && server == OwnServer {
			take(i)
		}
	}
	for _, name := range met(history, turn) {
		if i, ok := places[name]; ok {
			take(i)
		}
	}
	for i := range tools {
		take(i)
	}
	return picked
}

// met are the names of tools that the session has come across, the latest
// first: those that were called, and those that an answer of Feira's own named.
func met(history []*session.Turn, turn *session.Turn) []string {
	var names []string
	for _, one := range slices.Backward(append(slices.Clone(history), turn)) {
		for _, step := range slices.Backward(one.Steps) {
			if step.Reply == nil {
				continue
			}
			for i, call := range slices.Backward(step.Reply.ToolCalls) {
				names = append(names, canonicalName(call.Name))
				names = append(names, named(call.Name, step.Returned[i])...)
			}
		}
	}
	return names
}

// canonicalName is a tool's name as it is offered, however it was called.
func canonicalName(name string) string {
	server, tool, ok := SplitTool(name)
	if !ok {
		return name
	}
	return ToolName(server, tool)
}

var quotedName = regexp.MustCompile(`"([A-Za-z0-9_-]{1,64})"`)

// named are the texts in an answer that may be names of tools, in its order.
func named(tool string, returned *events.ToolReturned) []string {
	if tool != toolListTools && tool != toolDiscover || returned == nil {
		return nil
	}
	var names []string
	for _, found := range quotedName.FindAllStringSubmatch(returned.Output, -1) {
		names = append(names, found[1])
	}
	return names
}

package planner

import (
	"encoding/json"
	"time"
)

// Mark begins every text, so that nobody takes it for a model's.
const Mark = "[offline model] "

// Tool is a tool on offer.
type Tool struct {
	Name       string // "server__tool"
	Parameters json.RawMessage
}

// Call is a tool call that was made, or is to be made.
type Call struct {
	Name      string
	Arguments string
	// Output is the tool's answer, empty for a call to be made.
	Output string
}

// Turn is all since the caller last spoke.
type Turn struct {
	// Text is what the caller said.
	Text string
	// Rounds are the calls that were made for it, by the reply that asked.
	Rounds [][]Call
	// Earlier are the texts before, the caller's and the tools'.
	Earlier []string
	// Said are those of them that the caller said.
	Said []string
	// Today dates what has a date.
	Today time.Time
}

// Reply is either a text, or calls to make.
type Reply struct {
	Text  string
	Calls []Call
}

// Plan decides on the next reply.
func Plan(turn Turn, tools []Tool) Reply {
	if reply, ok := obey(turn); ok {
		return reply
	}
	d := newDesk(turn, tools)
	if len(d.order.intents) == 0 {
		return Reply{Text: Mark + d.smallTalk()}
	}
	chains := d.chains()
	if calls := d.next(chains); len(calls) > 0 {
		return Reply{Calls: calls}
	}
	return Reply{Text: Mark + d.summary(chains)}
}

package session

import (
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// Turn is one request of a session from its start on.
type Turn struct {
	Request  events.RequestID
	Sequence uint64 // in REQUESTS
	Kind     events.Kind
	Message  string
	Call     *events.CallRequested
	Metadata map[string]string
	Started  time.Time

	// Attempt and Worker name the owner: who wrote the latest turn.started.
	Attempt int
	Worker  string

	// Steps are the model's replies with what became of their tool calls. A
	// call request has one step without a reply.
	Steps []Step
	Usage events.TokenUsage
	// Answer is the agent's final text, once the turn has ended.
	Answer string
}

// Step is a reply of the model and the outcomes of its tool calls.
type Step struct {
	Reply *events.ModelReplied
	// Returned holds outcomes by the call's index.
	Returned map[int]*events.ToolReturned
	// Told holds, by the call's index, the latest that a provider told by webhook
	// of what the call made.
	Told map[int]*events.WebhookReceived
}

// Intent is a tool call that was written down and has no outcome yet.
type Intent struct {
	Iteration int
	Index     int
	Call      events.ToolCall
}

// Intents lists the tool calls without an outcome, in the order asked for.
func (t *Turn) Intents() []Intent {
	if len(t.Steps) == 0 {
		return nil
	}
	step := t.Steps[len(t.Steps)-1]
	if t.Kind == events.KindCall {
		if _, returned := step.Returned[0]; returned || t.Call == nil {
			return nil
		}
		call := events.ToolCall{ID: string(t.Request), Name: t.Call.Tool, Arguments: string(t.Call.Arguments)}
		return []Intent{{Call: call}}
	}
	var intents []Intent
	for index, call := range step.Reply.ToolCalls {
		if _, returned := step.Returned[index]; !returned {
			intents = append(intents, Intent{Iteration: step.Reply.Iteration, Index: index, Call: call})
		}
	}
	return intents
}

// Iterations is how many replies of the model were bought.
func (t *Turn) Iterations() int {
	if t.Kind == events.KindCall {
		return 0
	}
	return len(t.Steps)
}

// ToolCalls is how many tool calls have an outcome.
func (t *Turn) ToolCalls() int {
	n := 0
	for _, step := range t.Steps {
		n += len(step.Returned)
	}
	return n
}

func (t *Turn) reply(event *events.ModelReplied) error {
	if event.Iteration != len(t.Steps)+1 {
		return fmt.Errorf("%w: reply %d comes after %d", ErrGap, event.Iteration, len(t.Steps))
	}
	t.Steps = append(t.Steps, Step{Reply: event})
	t.Usage = t.Usage.Add(event.Usage)
	return nil
}

// step is the one of an iteration; nil when there is none.
func (t *Turn) step(iteration int) *Step {
	place := iteration - 1
	if t.Kind == events.KindCall {
		place = 0
	}
	if place < 0 || place >= len(t.Steps) {
		return nil
	}
	return &t.Steps[place]
}

// Told is the latest that a provider told of what a call made; nil for nothing.
func (t *Turn) Told(intent Intent) *events.WebhookReceived {
	if step := t.step(intent.Iteration); step != nil {
		return step.Told[intent.Index]
	}
	return nil
}

// hear takes in what a provider told. Of what is late the later was told before.
func (t *Turn) hear(place events.ToolCallPlace, event *events.WebhookReceived) {
	step := t.step(place.Iteration)
	if step == nil || event.Late && step.Told[place.Index] != nil {
		return
	}
	if step.Told == nil {
		step.Told = make(map[int]*events.WebhookReceived)
	}
	step.Told[place.Index] = event
}

func (t *Turn) toolReturned(event *events.ToolReturned) error {
	step := t.step(event.Iteration)
	if step == nil {
		return fmt.Errorf("%w: outcome of reply %d, of %d", ErrGap, event.Iteration, len(t.Steps))
	}
	if step.Returned == nil {
		step.Returned = make(map[int]*events.ToolReturned)
	}
	if _, again := step.Returned[event.Index]; !again {
		step.Returned[event.Index] = event
	}
	return nil
}

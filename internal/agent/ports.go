package agent

import (
	"context"
	"encoding/json"

	"github.com/feira-dev/feira/events"
)

// Role says who speaks in a prompt.
type Role string

// Roles.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Message is one utterance of a prompt.
type Message struct {
	Role Role
	Text string
	// ToolCalls are the assistant's.
	ToolCalls []events.ToolCall
	// CallID is the call that a tool message answers.
	CallID string
}

// Tool is a tool as the model sees it.
type Tool struct {
	Name        string // "server__tool", at most 64 of letters, digits, "_" and "-"
	Description string
	Parameters  json.RawMessage // JSON Schema of an object
}

// Prompt is all that a model is told for one reply. It never holds a secret.
type Prompt struct {
	Tenant   events.TenantID
	Session  events.SessionID
	Messages []Message
	Tools    []Tool
	// MaxOutputTokens caps the reply; 0 leaves it to the model.
	MaxOutputTokens int64
}

// Reply is a model's answer.
type Reply struct {
	Model        string
	Text         string
	ToolCalls    []events.ToolCall
	FinishReason string
	Usage        events.TokenUsage
}

// Model answers prompts. Implementations are safe for concurrent use, retry
// what may pass within a short bound, and return an error that wraps
// [ErrModelGarbage] when the answer cannot be read. onDelta, when not nil,
// hears text as it arrives, from the calling goroutine.
type Model interface {
	Reply(ctx context.Context, prompt Prompt, onDelta func(text string)) (Reply, error)
}

// Safety says what sending a call twice would do.
type Safety string

// Safety classes.
const (
	// SafetyRead changes nothing.
	SafetyRead Safety = "read"
	// SafetyIdempotent has the same effect twice as once.
	SafetyIdempotent Safety = "idempotent"
	// SafetyKeyed has one effect for one idempotency key, by the provider's word.
	SafetyKeyed Safety = "keyed"
	// SafetyUnsafe has another effect each time.
	SafetyUnsafe Safety = "unsafe"
)

// Repeatable reports whether a call in doubt may be sent again with its key.
func (s Safety) Repeatable() bool {
	return s == SafetyRead || s == SafetyIdempotent || s == SafetyKeyed
}

// Call is one tool call on its way to a provider, after the walls.
type Call struct {
	Tenant      events.TenantID
	Session     events.SessionID
	Request     events.RequestID
	Environment events.Environment
	Server      string
	Tool        string
	Arguments   json.RawMessage // an object
	// Key is the idempotency key: the same for every try of this call.
	Key string
	// Reach is what the session may use: for tools that are made of others.
	Reach Reach
	// InDoubt is set when an earlier owner of the turn may have made the call:
	// that nothing is sent now does not mean that it had no effect.
	InDoubt bool
}

// Result is how a call ended. Output and Fault are scrubbed of secrets.
type Result struct {
	// Server is where a tool of Feira's own had its effect; empty for others.
	Server   string
	Status   events.ToolStatus
	Output   string
	Fault    *events.ToolFault
	Attempts int
	// Passing is set where a provider's client knows that the fault may be gone
	// later: it was limited, late or away, and did not say no.
	Passing bool
}

// Catalogue knows the tools of each server, which may differ from tenant to
// tenant. Implementations are safe for concurrent use.
type Catalogue interface {
	// Tools lists the tools within a session's reach, in a stable order. A server
	// that cannot tell its tools now adds none.
	Tools(ctx context.Context, reach Reach) []Tool
	// Safety is the class of a tool; false when there is no such tool. The
	// server is within reach.
	Safety(ctx context.Context, reach Reach, server, tool string) (Safety, bool)
}

// Provider sends calls. Implementations are safe for concurrent use, check the
// arguments against the tool's schema, bound the time of a call, and never
// send a call that is not repeatable more than once.
type Provider interface {
	// Call sends, and turns every failure into a [Result]. One that is in doubt
	// ends as unknown unless what comes of it now is true of the earlier try too.
	Call(ctx context.Context, call Call) Result
	// Lookup finds out what became of a call in doubt, by the key that it
	// left at the provider; false when the tool has no look-up rule or nothing
	// can be said.
	Lookup(ctx context.Context, call Call) (Result, bool)
}

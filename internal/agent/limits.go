package agent

import (
	"cmp"
	"time"

	"github.com/feira-dev/feira/internal/tenant"
)

// Defaults of a turn's limits.
const (
	DefaultIterations = 16
	DefaultToolCalls  = tenant.DefaultTurnToolCalls
	DefaultTokens     = tenant.DefaultTurnTokens
	DefaultWallTime   = 5 * time.Minute
)

// Bounds of what is taken from a model or told to it.
const (
	// MaxReplyText is how many bytes of a reply's text are kept.
	MaxReplyText = 64 << 10
	// MaxArguments is the largest argument text of one tool call.
	MaxArguments = 32 << 10
	// MaxReplyBytes is the largest text and arguments of a reply together.
	MaxReplyBytes = 160 << 10
	// MaxReplyCalls is how many tool calls one reply may ask for.
	MaxReplyCalls = 32
	// maxToolName is the longest name of a tool within its server.
	maxToolName = 256
	// parallelCalls is how many tool calls of one reply are under way at once.
	parallelCalls = 8
	// historyTurns and historyBytes bound what a prompt tells of earlier turns.
	historyTurns = 20
	historyBytes = 96 << 10
)

// Limits bound one turn; reaching one ends it as failed.
type Limits struct {
	// Iterations is how many replies may be bought.
	Iterations int
	// ToolCalls is how many tool calls may be asked for in all.
	ToolCalls int
	// Tokens is how many input and output tokens may be used in all.
	Tokens int64
	// WallTime is counted from the turn's first start, whoever runs it.
	WallTime time.Duration
}

// LimitsOf are the tenant's limits, defaults where it names none.
func LimitsOf(limits tenant.Limits) Limits {
	return Limits{
		Iterations: cmp.Or(limits.Iterations, DefaultIterations),
		ToolCalls:  cmp.Or(limits.ToolCalls, DefaultToolCalls),
		Tokens:     cmp.Or(limits.Tokens, DefaultTokens),
		WallTime:   cmp.Or(time.Duration(limits.WallTimeSeconds)*time.Second, DefaultWallTime),
	}
}

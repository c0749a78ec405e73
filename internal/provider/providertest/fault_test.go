package providertest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// weather is a way in which every call of a dialogue fails once.
type weather struct {
	fault fault.Fault
	// harmless: the call ends well all the same, whatever the tool.
	harmless bool
	// garbled: the answer is good and cannot be read.
	garbled bool
}

func weathers() map[string]weather {
	return map[string]weather{
		"late":             {fault: fault.Fault{Kind: fault.KindDelay, Delay: time.Millisecond}, harmless: true},
		"late answer":      {fault: fault.Fault{Kind: fault.KindDelay, Delay: time.Millisecond, AfterEffect: true}, harmless: true},
		"limited":          {fault: fault.Fault{Kind: fault.KindStatus, Status: http.StatusTooManyRequests, RetryAfter: time.Second}, harmless: true},
		"500 before":       {fault: fault.Fault{Kind: fault.KindStatus, Status: http.StatusInternalServerError}},
		"503 after":        {fault: fault.Fault{Kind: fault.KindStatus, Status: http.StatusServiceUnavailable, AfterEffect: true}},
		"cut before":       {fault: fault.Fault{Kind: fault.KindCut}},
		"cut after":        {fault: fault.Fault{Kind: fault.KindCut, AfterEffect: true}},
		"malformed answer": {fault: fault.Fault{Kind: fault.KindGarbage, AfterEffect: true}, garbled: true},
	}
}

// TestEveryToolThroughEveryFault makes each call of each dialogue fail once.
// Whatever happens, the journal holds each effect once; a call that ends well
// had its effect, one that ends as an error had none, and one whose outcome is
// unknown says so. Rules for looking up find the effect that is there, and
// never one that is not.
func TestEveryToolThroughEveryFault(t *testing.T) {
	t.Parallel()
	for server := range toolsOf() {
		for name, by := range weathers() {
			t.Run(server+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server)
				for number, one := range readDialogue(t, server) {
					b.weather(t, one, number, by)
				}
			})
		}
	}
}

// weather makes one call under a fault, and again without where nothing has
// come of it.
func (b *testBundle) weather(t *testing.T, one turn, number int, by weather) {
	t.Helper()
	b.elsewhere(t, one)
	call, from := b.begin(t, one, number), b.lines()
	struck := by.fault
	struck.Server, struck.Method, struck.Path = b.server, one.method, filled(t, one.path, b.saved)
	require.NoError(t, b.sandbox.Fault(struck))
	result := b.client.Call(t.Context(), call)
	b.sandbox.ClearFaults(b.server)
	heard := b.took()
	spec := b.spec(t, one.tool)
	about := b.server + " " + one.tool
	switch {
	case by.harmless, result.Status == events.ToolOK:
		require.Equal(t, events.ToolOK, result.Status, "%s: %+v", about, result.Fault)
		require.False(t, by.garbled, about)
		if by.fault.Kind == fault.KindStatus {
			require.Equal(t, 2, result.Attempts, "%s: the fault has not struck", about)
		}
		require.False(t, spec.Safety == agent.SafetyUnsafe && !by.harmless, "%s: was sent twice", about)
	case spec.Safety == agent.SafetyRead:
		require.True(t, by.garbled, "%s: a reading call is not tried again: %+v", about, result.Fault)
		require.Equal(t, events.ToolError, result.Status, about)
	default:
		require.False(t, spec.Safety == agent.SafetyKeyed && !by.garbled, "%s: the provider honours the key: %+v", about, result.Fault)
		require.Equal(t, events.ToolUnknown, result.Status, "%s: %+v", about, result.Fault)
	}
	b.settle(t, one, call, heard)
	require.Equal(t, one.effects, b.effects(from), "%s: each effect once", about)
}

// settle looks a call up whose outcome is unknown, compares what is found with
// the journal, and makes the call when it has had no effect.
func (b *testBundle) settle(t *testing.T, one turn, call agent.Call, heard []sandbox.Exchange) {
	t.Helper()
	at := slices.IndexFunc(heard, func(e sandbox.Exchange) bool { return e.Status < http.StatusBadRequest })
	found, known := b.client.Lookup(t.Context(), call)
	b.took()
	if at >= 0 { // The fake has done it, whatever the client was told.
		if b.traced(t, one, call) {
			require.True(t, known, "%s: its effect is not found", one.tool)
			require.Equal(t, events.ToolOK, found.Status, one.tool)
			require.Contains(t, found.Output, b.lastObject(), one.tool)
		}
		b.save(t, one, heard[at].Answer)
		return
	}
	require.False(t, known && found.Status == events.ToolOK, "%s: an effect is found that is not there", one.tool)
	result := b.client.Call(t.Context(), call)
	require.Equal(t, events.ToolOK, result.Status, "%s: %+v", one.tool, result.Fault)
	again := b.took()
	require.Len(t, again, 1, one.tool)
	b.save(t, one, again[0].Answer)
}

// traced reports whether the effect carries the key: there is a rule, and the
// caller has not used its place for a reference of its own.
func (b *testBundle) traced(t *testing.T, one turn, call agent.Call) bool {
	t.Helper()
	return b.spec(t, one.tool).Lookup != nil && strings.Contains(one.json, "${key}") && call.Key != ""
}

// lastObject is what the last line of the journal is about.
func (b *testBundle) lastObject() string {
	entries := b.sandbox.Journal().Entries(journal.Filter{Server: b.server, Account: tenant})
	return entries[len(entries)-1].Object
}

package chaos_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/chaos"
	"github.com/feira-dev/feira/internal/session"
)

// written is a log in a line: "s" starts, "m" is a reply of the model, "e"
// ends; then tenant, session, request, and the request's sequence. The number
// of the word is the event's sequence.
//
//	"sA/1/a@7 eA/1/a@7"
func written(t *testing.T, text string) []events.Record {
	t.Helper()
	var log []events.Record
	starts := map[string]int{}
	for i, word := range strings.Fields(text) {
		name, at, _ := strings.Cut(word[1:], "@")
		parts := strings.Split(name, "/")
		require.Len(t, parts, 3, word)
		number := uint64(at[0] - '0')
		var event events.Event
		switch word[0] {
		case 's':
			starts[name]++
			event = &events.TurnStarted{Kind: kindOf(parts[2]), RequestSequence: number, Attempt: starts[name], Worker: "w"}
		case 'm':
			event = &events.ModelReplied{Iteration: 1 + i}
		case 'M':
			event = &events.ModelReplied{Iteration: 1}
		case 'e':
			event = &events.TurnCompleted{RequestSequence: number, Status: events.TurnCompletedOK}
		default:
			require.Fail(t, "unknown event", word)
		}
		envelope := events.Envelope{Tenant: events.TenantID(parts[0]), Session: events.SessionID(parts[1]), Request: events.RequestID(parts[2])}
		envelope.ID = session.EventID(envelope.Request, event)
		envelope.Source = events.SessionSource(envelope.Tenant, envelope.Session)
		log = append(log, events.Record{Envelope: envelope, Event: event, Sequence: uint64(i + 1)})
	}
	return log
}

// kindOf: requests whose names begin with "c" are calls.
func kindOf(id string) events.Kind {
	if strings.HasPrefix(id, "c") {
		return events.KindCall
	}
	return events.KindTurn
}

func requests(names string) []chaos.Asked {
	var asked []chaos.Asked
	for name := range strings.FieldsSeq(names) {
		name, unsure := strings.CutSuffix(name, "?")
		name, at, known := strings.Cut(name, "@")
		sequence := uint64(0)
		if known {
			sequence = uint64(at[0] - '0')
		}
		parts := strings.Split(name, "/")
		asked = append(asked, chaos.Asked{
			Key:  chaos.Key{Tenant: events.TenantID(parts[0]), Session: events.SessionID(parts[1]), ID: events.RequestID(parts[2])},
			Kind: kindOf(parts[2]), Stored: !unsure, Sequence: sequence,
		})
	}
	return asked
}

func TestJudgeFindsEachBreak(t *testing.T) {
	t.Parallel()
	for name, planted := range map[string]struct {
		asked, log string
		want       []chaos.Rule
	}{
		"all is well":                              {"A/1/a A/1/b A/2/c1 B/1/a", "sA/1/a@1 mA/1/a@1 sB/1/a@4 eA/1/a@1 sA/2/c1@3 sA/1/b@2 eB/1/a@4 eA/1/b@2 eA/2/c1@3", nil},
		"a take-over is the same run":              {"A/1/a A/2/a", "sA/1/a@1 sA/2/a@2 sA/1/a@1 eA/1/a@1 eA/2/a@2", nil},
		"asked for twice and run once":             {"A/1/a A/1/a", "sA/1/a@1 eA/1/a@1", nil},
		"asked for, perhaps, and not run":          {"A/1/a? A/1/b?", "sA/1/a@1 eA/1/a@1", nil},
		"refused without a start":                  {"A/1/a", "eA/1/a@1", nil},
		"calls go beside turns":                    {"A/1/a A/1/c1", "sA/1/a@1 sA/1/c1@2 eA/1/c1@2 eA/1/a@1", nil},
		"a cap is full again after an ending":      {"A/1/a A/2/a A/3/a", "sA/1/a@1 sA/2/a@2 eA/1/a@1 sA/3/a@3 eA/2/a@2 eA/3/a@3", nil},
		"one above the cap":                        {"A/1/a A/2/a A/3/a", "sA/1/a@1 sA/2/a@2 sA/3/a@3 eA/1/a@1 eA/2/a@2 eA/3/a@3", []chaos.Rule{chaos.RuleCap}},
		"a call above the cap":                     {"B/1/a B/1/c1", "sB/1/a@1 sB/1/c1@2 eB/1/a@1 eB/1/c1@2", []chaos.Rule{chaos.RuleCap}},
		"one above the cap during a take-over":     {"B/1/a B/2/a", "sB/1/a@1 sB/2/a@2 sB/1/a@1 eB/1/a@1 eB/2/a@2", []chaos.Rule{chaos.RuleCap}},
		"a tenant with no cap may run nothing":     {"C/1/a", "sC/1/a@1 eC/1/a@1", []chaos.Rule{chaos.RuleCap}},
		"two turns of a session overlap":           {"A/1/a A/1/b", "sA/1/a@1 sA/1/b@2 eA/1/a@1 eA/1/b@2", []chaos.Rule{chaos.RuleOverlap}},
		"turns start in the wrong order":           {"A/1/a A/1/b", "sA/1/b@2 eA/1/b@2 sA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleOrder, chaos.RuleOrder}},
		"a refusal that jumps the queue":           {"A/1/a A/1/b", "eA/1/b@2 sA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleOrder}},
		"two endings":                              {"A/1/a", "sA/1/a@1 eA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleRepeated, chaos.RuleDoubled}},
		"lost before its start":                    {"A/1/a A/1/b", "sA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleLost}},
		"lost in the middle":                       {"A/1/a A/1/a", "sA/1/a@1", []chaos.Rule{chaos.RuleLost}},
		"the same id in another session is not":    {"A/1/a A/2/a", "sA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleLost}},
		"run again from its beginning":             {"A/1/a", "sA/1/a@1 eA/1/a@1 sA/1/a@2", []chaos.Rule{chaos.RuleRevived}},
		"an old owner writes on":                   {"A/1/a", "sA/1/a@1 eA/1/a@1 mA/1/a@1", []chaos.Rule{chaos.RuleRevived}},
		"work without a start":                     {"A/1/a", "mA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleUnstarted}},
		"a reply stands twice":                     {"A/1/a", "sA/1/a@1 MA/1/a@1 MA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleRepeated}},
		"the sequences that were acknowledged":     {"A/1/a@1 A/1/b@2 A/1/b@3", "sA/1/a@1 eA/1/a@1 sA/1/b@3 eA/1/b@3", nil},
		"another sequence than was acknowledged":   {"A/1/a@1 A/1/b@2", "sA/1/a@1 eA/1/a@1 sA/1/b@3 eA/1/b@3", []chaos.Rule{chaos.RuleUnasked, chaos.RuleUnasked}},
		"a sequence that was perhaps acknowledged": {"A/1/a@1 A/1/a?", "sA/1/a@4 eA/1/a@4", nil},
		"nobody asked":                             {"", "sA/1/a@1 eA/1/a@1", []chaos.Rule{chaos.RuleUnasked, chaos.RuleUnasked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trial := chaos.Trial{Caps: map[events.TenantID]int{"A": 2, "B": 1}, Asked: requests(planted.asked), Log: written(t, planted.log)}
			var rules []chaos.Rule
			for _, fault := range trial.Judge().Faults {
				rules = append(rules, fault.Rule)
			}
			require.Equal(t, planted.want, rules)
		})
	}
}

func TestJudgeNeedsTheStreamsOrder(t *testing.T) {
	t.Parallel()
	log := written(t, "sA/1/a@1 mA/1/a@1 eA/1/a@1")
	log[1].Sequence = log[0].Sequence
	findings := chaos.Trial{Caps: map[events.TenantID]int{"A": 1}, Asked: requests("A/1/a"), Log: log}.Judge()
	require.Len(t, findings.Faults, 1)
	require.Equal(t, chaos.RuleShuffled, findings.Faults[0].Rule)
	require.Contains(t, findings.Faults[0].String(), "shuffled: A/1/a at 1: it was read after 1")
}

func TestJudgeCounts(t *testing.T) {
	t.Parallel()
	log := written(t, "sA/1/a@1 sA/2/a@2 sA/1/a@1 mA/1/a@1 eA/1/a@1 sB/1/a@3 eB/1/a@3 eA/2/a@2")
	log[6].Event = &events.TurnCompleted{RequestSequence: 3, Status: events.TurnFailed, Reason: events.ReasonTooManyDeliveries}
	findings := chaos.Trial{Caps: map[events.TenantID]int{"A": 2, "B": 1}, Asked: requests("A/1/a A/2/a B/1/a"), Log: slices.Clone(log)}.Judge()
	require.Equal(t, chaos.Findings{
		Peaks:     map[events.TenantID]int{"A": 2, "B": 1},
		Endings:   map[events.TurnStatus]int{events.TurnCompletedOK: 2, events.TurnFailed: 1},
		Reasons:   map[string]int{events.ReasonTooManyDeliveries: 1},
		Takeovers: 1, Replies: 1,
	}, findings)
}

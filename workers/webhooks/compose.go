package webhooks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/hostile"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// maxQuoted is how much of a body the model reads, in bytes.
const maxQuoted = 8 << 10

// plainWord is what may stand in a tenant's own sentence: no text of a
// stranger's can be an order in so little.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:&+-]{0,127}$`)

// notPlain stands for what is no plain word.
const notPlain = "(unreadable)"

// holds reports whether a rule's conditions are met by the event's body.
func holds(rule tenant.WebhookRule, body []byte) bool {
	for path, values := range rule.When {
		value, ok := webhook.Value(body, path)
		if !ok || !slices.Contains(values, value) {
			return false
		}
	}
	return true
}

// filler puts an event's words into a tenant's sentence.
func filler(a arrival) *strings.Replacer {
	plain := func(text string) string {
		if !plainWord.MatchString(text) {
			return notPlain
		}
		return text
	}
	return strings.NewReplacer(
		"{server}", plain(a.Server), "{kind}", plain(a.event.Kind), "{fact}", plain(string(a.event.Fact)),
		"{object}", plain(a.event.Object), "{status}", plain(a.event.Status), "{event}", plain(a.event.ID),
	)
}

// request is what a rule makes of an event: a turn that is told of it, or a call.
func request(a arrival, decided plan) (events.Message, error) {
	rule := *decided.Rule
	params := events.RequestParams{
		Tenant: a.Tenant, Session: decided.Session, ID: decided.Request, Kind: events.KindTurn, Priority: events.PriorityNormal,
	}
	made := events.Request{Metadata: map[string]string{"webhook_server": a.Server, "webhook_connection": a.Connection, "webhook_event": a.event.ID}}
	if rule.Tool == "" {
		made.Message = message(a, decided)
		return events.NewRequest(params, made)
	}
	arguments, err := json.Marshal(filled(rule.Arguments, filler(a)))
	if err != nil {
		return events.Message{}, fmt.Errorf("%w: arguments: %w", events.ErrInvalidRequest, err)
	}
	params.Kind, made.Tool, made.Arguments = events.KindCall, rule.Tool, arguments
	if len(rule.Arguments) == 0 {
		made.Arguments = json.RawMessage("{}")
	}
	return events.NewRequest(params, made)
}

// message is the tenant's sentence, and below it the event as a quotation.
func message(a arrival, decided plan) string {
	text := filler(a).Replace(decided.Rule.Message)
	if decided.Late {
		text += "\n\nThis event came late: a later one of the same object was told before it."
	}
	if decided.Unconfirmed {
		text += "\n\nNobody signed this event, and the provider, asked, did not confirm it: it may be made up."
	}
	body := hostile.Clip(hostile.ScrubForms(hostile.Clean(string(a.Body))), maxQuoted)
	origin := agent.Origin{
		Tenant: a.Tenant, Session: decided.Session, Request: decided.Request, Place: "webhook " + a.event.ID, From: "webhook of " + a.Server,
	}
	return text + "\n\n" + agent.Untrusted(origin, body)
}

// filled puts an event's words into the texts of arguments.
func filled(value any, words *strings.Replacer) any {
	switch value := value.(type) {
	case string:
		return words.Replace(value)
	case map[string]any:
		made := make(map[string]any, len(value))
		for name, inner := range value {
			made[name] = filled(inner, words)
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, inner := range value {
			made[i] = filled(inner, words)
		}
		return made
	default:
		return value
	}
}

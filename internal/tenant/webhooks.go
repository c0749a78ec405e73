package tenant

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of webhook rules.
const (
	MaxWebhookRules   = 64
	maxWebhookMessage = 8 << 10
	maxWebhookWhen    = 16
)

// RuleSession says in which session a rule's request runs.
type RuleSession string

// Sessions of rules.
const (
	// SessionNew is one of its own for every event.
	SessionNew RuleSession = "new"
	// SessionMaker is the one in which a call of ours made the object. The rule
	// holds for no other events.
	SessionMaker RuleSession = "maker"
	// SessionObject is one for each object, in which its events follow each other:
	// for WhatsApp, the conversation with a phone.
	SessionObject RuleSession = "object"
)

// WebhookRule says what a provider's event causes. Of a tenant's rules the first
// that holds counts; an event that none holds for is recorded and causes nothing.
type WebhookRule struct {
	// Name is for people. Defaults to On.
	Name string `json:"name,omitempty" yaml:"name,omitempty"`
	// On is a pattern of Feira's word for what happened ("payment.confirmed",
	// "shipment.*") or of the provider's own ("PAYMENT_OVERDUE").
	On string `json:"on" yaml:"on"`
	// Server narrows it to one; empty means any.
	Server string `json:"server,omitempty" yaml:"server,omitempty"`
	// When are values that stand in the event's body, by their paths, as
	// "payment.billingType": each is one of those listed.
	When map[string][]string `json:"when,omitempty" yaml:"when,omitempty"`
	// Session defaults to maker.
	Session RuleSession `json:"session,omitempty" yaml:"session,omitempty"`
	// Message is what the agent is told; the event is quoted below it as data from
	// outside. {server}, {kind}, {fact}, {object}, {status} and {event} stand for
	// the event's, where they are plain words.
	Message string `json:"message,omitempty" yaml:"message,omitempty"`
	// Tool and Arguments are a call that is made in place of a turn. The same
	// words stand for the same in arguments.
	Tool      string         `json:"tool,omitempty" yaml:"tool,omitempty"`
	Arguments map[string]any `json:"arguments,omitempty" yaml:"arguments,omitempty"`
	// Unconfirmed lets the rule hold for events too that nobody signed and that the
	// provider, asked again, did not confirm. A turn that reads of one is told so;
	// a call is never made for one.
	Unconfirmed bool `json:"unconfirmed,omitempty" yaml:"unconfirmed,omitempty"`
}

// Matches reports whether the rule is for events of this kind.
func (r WebhookRule) Matches(server, kind, fact string) bool {
	if r.Server != "" && r.Server != server {
		return false
	}
	for _, name := range []string{fact, kind} {
		if held, err := path.Match(r.On, name); err == nil && held && name != "" {
			return true
		}
	}
	return false
}

// Where is the rule's session, with its default.
func (r WebhookRule) Where() RuleSession {
	if r.Session == "" {
		return SessionMaker
	}
	return r.Session
}

// Label names the rule.
func (r WebhookRule) Label() string {
	if r.Name == "" {
		return r.On
	}
	return r.Name
}

var bodyPath = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,15}$`)

func (t Tenant) validateWebhooks() error {
	var faults []error
	if len(t.Webhooks) > MaxWebhookRules {
		faults = append(faults, fmt.Errorf("%w: webhooks has %d rules, at most %d are allowed", ErrInvalid, len(t.Webhooks), MaxWebhookRules))
	}
	for i, rule := range t.Webhooks {
		for _, fault := range rule.faults(t) {
			faults = append(faults, fmt.Errorf("%w: webhooks[%d].%w", ErrInvalid, i, fault))
		}
	}
	return errors.Join(faults...)
}

func (r WebhookRule) faults(t Tenant) []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, err := path.Match(r.On, "x"); r.On == "" || err != nil {
		fault("on is %q, want a name or a pattern of names", r.On)
	}
	if r.Server != "" && !slices.Contains(t.Servers, r.Server) {
		fault("server is %q, which is none of the tenant's servers", r.Server)
	}
	if r.Session != "" && r.Session != SessionNew && r.Session != SessionMaker && r.Session != SessionObject {
		fault("session is %q, want %s, %s or %s", r.Session, SessionMaker, SessionNew, SessionObject)
	}
	if (r.Message == "") == (r.Tool == "") {
		fault("message: want it or tool, and not both")
	}
	if len(r.Message) > maxWebhookMessage {
		fault("message has %d bytes, at most %d are allowed", len(r.Message), maxWebhookMessage)
	}
	if server, name, ok := strings.Cut(r.Tool, "__"); r.Tool != "" && (!ok || name == "" || server != ownServer && !slices.Contains(t.Servers, server)) {
		fault("tool is %q, want server__tool of one of the tenant's servers", r.Tool)
	}
	if r.Unconfirmed && r.Tool != "" {
		fault("unconfirmed: want it beside a message: no call is made for what nobody confirmed")
	}
	if len(r.Arguments) > 0 && r.Tool == "" {
		fault("arguments: want them beside a tool")
	}
	if len(r.When) > maxWebhookWhen {
		fault("when has %d entries, at most %d are allowed", len(r.When), maxWebhookWhen)
	}
	for name, values := range r.When {
		if !bodyPath.MatchString(name) || len(values) == 0 {
			fault("when: %q: want a path of dots and at least one value", name)
		}
	}
	return faults
}

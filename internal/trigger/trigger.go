package trigger

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// ErrInvalid occurs when a trigger breaks a rule; the error that wraps it names
// the field.
var ErrInvalid = errors.New("invalid trigger")

// Status is whether a trigger tells.
type Status string

// Statuses.
const (
	StatusActive Status = "active"
	// StatusPaused holds what is to be told until it is resumed.
	StatusPaused Status = "paused"
	// StatusStopped is of an endpoint that has said that it is gone: what was
	// waiting is given up, and nothing new is taken in until it is resumed.
	StatusStopped Status = "stopped"
)

// Bounds of a trigger's fields.
const (
	MaxName = 128
	MaxURL  = 2048
	// MaxOfTenant is how many triggers a tenant may have.
	MaxOfTenant = 100
)

// All is the pattern that takes in every event.
const All = "*"

// Trigger tells one endpoint of a tenant of events. Its secrets are kept
// elsewhere.
type Trigger struct {
	ID     events.TriggerID `json:"id"`
	Tenant tenant.ID        `json:"tenant"`
	// Environment is the tenant's.
	Environment events.Environment `json:"environment"`
	Name        string             `json:"name"`
	// Event is the pattern of what is told: a name, "payment.*" or "*".
	Event string `json:"event"`
	// Server leaves in only what one of the tenant's servers did; empty for all.
	Server    string    `json:"server,omitempty"`
	URL       string    `json:"url"`
	Status    Status    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	// RotatedAt is when its newest secret was made, so that whoever has an older
	// one in memory knows.
	RotatedAt time.Time `json:"rotated_at,omitzero"`
	// Reason says why it stopped.
	Reason string `json:"reason,omitempty"`
}

var (
	patternForm = regexp.MustCompile(`^(\*|[a-z][a-z0-9_]{0,63}\.(\*|[a-z][a-z0-9_]{0,63}))$`)
	serverForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
)

// Validate joins every fault, each naming its field. Where loopback is allowed
// an endpoint may be on this machine and without encryption: for development.
func (t Trigger) Validate(loopback bool) error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...)))
	}
	if _, err := events.ParseTriggerID(string(t.ID)); err != nil {
		fault("id: %w", err)
	}
	if _, err := events.ParseTenantID(string(t.Tenant)); err != nil {
		fault("tenant: %w", err)
	}
	if t.Name == "" || len(t.Name) > MaxName {
		fault("name has %d bytes, want 1 to %d", len(t.Name), MaxName)
	}
	if !patternForm.MatchString(t.Event) {
		fault(`event has to be a name as payment.confirmed, "payment.*" or "*"`)
	}
	if t.Server != "" && !serverForm.MatchString(t.Server) {
		fault("server_id has to be lower-case letters, digits, \"_\" or \"-\"")
	}
	if err := checkURL(t.URL, loopback); err != nil {
		fault("webhook_url %w", err)
	}
	switch t.Status {
	case StatusActive, StatusPaused, StatusStopped:
	default:
		fault("status is %q", t.Status)
	}
	if t.CreatedAt.IsZero() {
		fault("created_at is missing")
	}
	return errors.Join(faults...)
}

// checkURL never repeats the URL, which may hold what its owner keeps secret.
// Names are looked at when they are dialled, so that they cannot change between.
func checkURL(text string, loopback bool) error {
	if len(text) > MaxURL {
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(text), MaxURL)
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "":
		return errors.New("is no https:// address")
	case parsed.User != nil:
		return errors.New("holds credentials")
	case parsed.Fragment != "":
		return errors.New("has a fragment, which is never sent")
	case parsed.Scheme == "https":
		return nil
	case parsed.Scheme == "http" && loopback && isLoopback(parsed.Hostname()):
		return nil
	}
	return errors.New("has to begin with https://")
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// Hears reports whether the trigger is to be told of an event.
func (t Trigger) Hears(event Event) bool {
	if t.Status == StatusStopped || t.Tenant != event.Tenant || event.At.Before(t.CreatedAt) {
		return false
	}
	return (t.Server == "" || t.Server == event.Server) && Matches(t.Event, event.Name)
}

// Matches reports whether a pattern takes in the name of an event.
func Matches(pattern, name string) bool {
	if pattern == All || pattern == name {
		return true
	}
	last := len(pattern) - 1
	return last > 0 && pattern[last] == '*' && pattern[last-1] == '.' && len(name) > last && name[:last] == pattern[:last]
}

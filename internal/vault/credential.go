package vault

import (
	"maps"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
)

// Credential is what a tenant was given for one server in one environment.
type Credential struct {
	fields map[string]Secret
	stamp  stamp
}

// Reveal tells a field's value; false when the credential has no such field.
func (c Credential) Reveal(field string) (string, bool) {
	secret, ok := c.fields[field]
	return secret.Reveal(), ok
}

// Fields are the names of the fields, sorted.
func (c Credential) Fields() []string { return slices.Sorted(maps.Keys(c.fields)) }

// Entry is what may be shown of a stored credential: everything but its secrets.
type Entry struct {
	Server      string             `json:"server"`
	Environment events.Environment `json:"environment"`
	Fields      []string           `json:"fields"`
	// Version counts the writes since the credential was first put, from 1.
	Version   uint64    `json:"version"`
	UpdatedAt time.Time `json:"updated_at"`
	// Plain are the values of those fields that are no secret; see [Config].
	Plain map[string]string `json:"plain,omitempty"`
}

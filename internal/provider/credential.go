package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/hostile"
)

// Credential tells the fields of a credential to the RoundTripper that needs
// them.
type Credential interface {
	// Reveal tells a field's value; false when there is no such field.
	Reveal(field string) (string, bool)
}

// Credentials opens the tenants' credentials. Implementations are safe for
// concurrent use, wrap [ErrNoCredential] when there is none, and put no secret
// into an error.
type Credentials interface {
	Open(ctx context.Context, tenant events.TenantID, server string, env events.Environment) (Credential, error)
}

// CredentialSpec is what a credential of a server consists of.
type CredentialSpec struct {
	// Default is the field that a credential of one line is; empty when one
	// line cannot be enough.
	Default string            `json:"default,omitempty"`
	Fields  []CredentialField `json:"fields"`
}

// CredentialField is one part of a credential.
type CredentialField struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Secret      bool   `json:"secret,omitempty"`
	Optional    bool   `json:"optional,omitempty"`
	// Application marks what belongs to the application that the account is
	// connected to: where the credential lacks it, the operator's does.
	Application bool `json:"application,omitempty"`
	// Forbid lists prefixes that belong to the other environment: a value that
	// has one is not sent.
	Forbid map[events.Environment][]string `json:"forbid,omitempty"`
}

// Parse reads a credential as a person gives it: a JSON object of fields, or,
// where the manifest has a default field, that field's value alone.
func (s CredentialSpec) Parse(text string) (map[string]string, error) {
	text = strings.TrimSpace(text)
	fields := map[string]string{}
	switch {
	case strings.HasPrefix(text, "{"):
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			return nil, fmt.Errorf("%w: want a JSON object of texts", ErrInvalidCredential)
		}
	case s.Default != "":
		fields[s.Default] = text
	default:
		return nil, fmt.Errorf("%w: want a JSON object with %s", ErrInvalidCredential, strings.Join(s.required(), ", "))
	}
	return fields, s.check(fields)
}

func (s CredentialSpec) check(fields map[string]string) error {
	for _, name := range s.required() {
		if fields[name] == "" {
			return fmt.Errorf("%w: field %s is missing", ErrInvalidCredential, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.ContainsFunc(s.Fields, func(field CredentialField) bool { return field.Name == name }) {
			return fmt.Errorf("%w: there is a field that is none of %s", ErrInvalidCredential, strings.Join(s.names(), ", "))
		}
		if hostile.HasControl(fields[name]) {
			return fmt.Errorf("%w: field %s holds a control character", ErrInvalidCredential, name)
		}
	}
	return nil
}

// foreign names the field whose value belongs to the other environment.
func (s CredentialSpec) foreign(fields map[string]string, env events.Environment) (string, bool) {
	for _, field := range s.Fields {
		for _, prefix := range field.Forbid[env] {
			if strings.HasPrefix(fields[field.Name], prefix) {
				return field.Name, true
			}
		}
	}
	return "", false
}

// CheckEnvironment refuses fields one of which belongs to the other environment.
func (s CredentialSpec) CheckEnvironment(fields map[string]string, env events.Environment) error {
	if field, foreign := s.foreign(fields, env); foreign {
		return fmt.Errorf("%w: field %s is not one for the %s environment", ErrInvalidCredential, field, env)
	}
	return nil
}

func (s CredentialSpec) names() []string {
	names := make([]string, 0, len(s.Fields))
	for _, field := range s.Fields {
		names = append(names, field.Name)
	}
	return names
}

func (s CredentialSpec) required() []string {
	var names []string
	for _, field := range s.Fields {
		if !field.Optional {
			names = append(names, field.Name)
		}
	}
	return names
}

package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Registrations opens the operator's own applications, which accounts are
// connected to. Implementations are safe for concurrent use, wrap
// [ErrNoCredential] when there is none, and put no secret into an error.
type Registrations interface {
	Registration(ctx context.Context, server string, env events.Environment) (Credential, error)
}

// borrow takes from the operator's application what the credential does not
// say of one. That there is none is no error.
func (a *account) borrow(ctx context.Context) error {
	lacks := func(field CredentialField) bool { return field.Application && a.fields[field.Name] == "" }
	needed := false
	for _, field := range a.server.manifest.Credential.Fields {
		needed = needed || lacks(field)
	}
	if !needed || a.client.config.Registrations == nil || a.lent != nil {
		return nil
	}
	registered, err := a.client.config.Registrations.Registration(ctx, a.server.manifest.ID, a.env)
	if errors.Is(err, ErrNoCredential) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the registration with %s: %w", a.server.manifest.Name, err)
	}
	a.lent = a.reveal(registered, lacks)
	return nil
}

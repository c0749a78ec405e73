package vault

import (
	"context"
	"errors"
)

// attempt is a decryption that was tried.
type attempt struct {
	at      place
	sealed  record
	action  Action
	purpose Purpose
}

// witness records a decryption, done or refused, and returns its error, joined
// with [ErrAudit] when the record could not be stored. What failed before
// anything was decrypted, as by a store that is away, is not recorded.
func (v *Vault) witness(ctx context.Context, tried attempt, err error) error {
	outcome := OutcomeDone
	switch {
	case err == nil:
	case errors.Is(err, ErrSealed) || errors.Is(err, ErrShredded):
		outcome = OutcomeRefused
	default:
		return err
	}
	return errors.Join(err, v.audit.write(ctx, Record{
		Time: v.now().UTC(), Tenant: tried.at.tenant, Action: tried.action, Outcome: outcome,
		Server: tried.at.server, Environment: tried.at.env, Version: tried.sealed.Version, Key: keyID(tried.sealed.Ciphertext),
		Actor: v.actor, Purpose: tried.purpose,
	}))
}

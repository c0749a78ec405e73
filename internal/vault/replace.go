package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// stamp tells a credential from those before and after it. A rewrapping keeps
// it; a deletion starts the versions anew, and so the time goes with them.
type stamp struct {
	version   uint64
	updatedAt int64
}

func (r record) stamp() stamp { return stamp{version: r.Version, updatedAt: r.UpdatedAt.UnixNano()} }

// Replacement is a credential that takes the place of another.
type Replacement struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// Was is the one before, as [Vault.Open] or [Vault.Replace] gave it.
	Was Credential
	// Fields are all of the new one.
	Fields map[string]Secret
}

// Replace stores a credential where Was is still what is stored, and is
// [ErrReplaced] where anything else is, or nothing. Of any number of callers
// with the same Was one succeeds. It gives the credential as it is stored then.
// A rotation that goes on meanwhile is no other credential. It opens nothing,
// so it leaves no record, as [Vault.Put] does not.
func (v *Vault) Replace(ctx context.Context, change Replacement) (Credential, error) {
	at, err := newPlace(change.Tenant, change.Server, change.Environment)
	if err != nil {
		return Credential{}, err
	}
	if err := checkFields(change.Fields); err != nil {
		return Credential{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, putPatience)
	defer cancel()
	was := change.Was.stamp
	for range maxWriteTries {
		// As in Put, no keyset from memory: it may have been shredded. But none is
		// made: there is nothing to replace where there is none.
		keys, err := v.keys.load(ctx, at.tenant)
		if errors.Is(err, ErrNoCredential) {
			return Credential{}, ErrReplaced
		}
		if err != nil {
			return Credential{}, err
		}
		next, err := v.replace(ctx, at, keys, replacing{was: was, fields: change.Fields})
		if err != nil {
			return Credential{}, err
		}
		if next == (stamp{}) {
			continue
		}
		was = next // a sealing that does not last is sealed again, on top of itself
		if lasting, err := v.lasting(ctx, at, keys.primary); err != nil {
			return Credential{}, err
		} else if lasting {
			return Credential{fields: change.Fields, stamp: next}, nil
		}
	}
	return Credential{}, fmt.Errorf("replacing credential: %w", ErrContended)
}

type replacing struct {
	was    stamp
	fields map[string]Secret
}

// replace tries once; the zero stamp when something moved that is no other
// credential.
func (v *Vault) replace(ctx context.Context, at place, keys tenantKeys, change replacing) (stamp, error) {
	previous, revision, err := v.current(ctx, at)
	if err != nil {
		return stamp{}, err
	}
	if revision == 0 || previous.stamp() != change.was {
		return stamp{}, ErrReplaced
	}
	draft := record{Version: previous.Version + 1, UpdatedAt: v.later(previous.UpdatedAt)}
	value, err := v.seal(keys, at, draft, change.fields)
	if err != nil {
		return stamp{}, err
	}
	saveErr := v.store.Save(ctx, at.key(), value, revision)
	if saveErr == nil {
		return draft.stamp(), nil
	}
	now, after, err := v.store.Load(ctx, at.key())
	switch {
	case err != nil || after == revision:
		return stamp{}, fmt.Errorf("saving credential: %w", saveErr)
	case bytes.Equal(now, value): // it arrived, only its answer did not
		return draft.stamp(), nil
	default:
		return stamp{}, nil
	}
}

// later is now, and after a time in any case, so that no two writings of one
// place have the same stamp, whatever the clock does between them.
func (v *Vault) later(than time.Time) time.Time {
	now := v.now().UTC()
	if !now.After(than) {
		return than.Add(time.Nanosecond).UTC()
	}
	return now
}

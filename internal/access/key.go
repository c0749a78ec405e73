package access

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// MaxName is the longest name of a key, in characters.
const MaxName = 128

// Key is what is remembered of an API key: all but its text.
type Key struct {
	ID ID `json:"id"`
	// Hash is where the key is stored, and so no part of what is stored there.
	Hash Hash `json:"-"`
	// Name is for people.
	Name string `json:"name"`
	// Prefix is how the text begins, so that people know it again.
	Prefix string `json:"prefix"`
	// Environment is that of every tenant that the key reaches.
	Environment events.Environment `json:"environment"`
	// Tenant is the one that the key reaches. Empty: it is the platform's, and
	// reaches all.
	Tenant tenant.ID `json:"tenant,omitempty"`
	// Project is the only one that the key acts in. Empty: the request says.
	Project Project `json:"project,omitempty"`
	// Scopes are what the key may do.
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is from when on the key is refused; zero: never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RevokedAt is when the key was revoked; zero: it was not.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// LastUsedAt is when the key was last used, to a minute or so; zero: never,
	// or not known here. It is stored elsewhere, lest each use touch the key.
	LastUsedAt time.Time `json:"-"`
}

// MintParams are what a new key is to be.
type MintParams struct {
	Name string
	// Environment defaults to test.
	Environment events.Environment
	Tenant      tenant.ID
	Project     Project
	// Scopes default to [DefaultScopes].
	Scopes    []Scope
	CreatedAt time.Time
	// ExpiresAt is zero for a key without an end.
	ExpiresAt time.Time
}

// Mint makes a key from a source of randomness, which must be one that nobody
// can foresee. The secret is to be shown once, to whom it is for.
func Mint(random io.Reader, params MintParams) (Key, Secret, error) {
	if params.Environment == "" {
		params.Environment = events.EnvironmentTest
	}
	if len(params.Scopes) == 0 {
		params.Scopes = DefaultScopes()
	}
	secret, err := newSecret(random, params.Environment)
	if err != nil {
		return Key{}, Secret{}, err
	}
	id, err := newID(random)
	if err != nil {
		return Key{}, Secret{}, err
	}
	key := Key{
		ID: id, Hash: secret.Hash(), Name: params.Name, Prefix: secret.Prefix(), Environment: params.Environment,
		Tenant: params.Tenant, Project: params.Project, Scopes: slices.Sorted(slices.Values(params.Scopes)),
		CreatedAt: params.CreatedAt.UTC(), ExpiresAt: params.ExpiresAt.UTC(),
	}
	if err := key.Validate(); err != nil {
		return Key{}, Secret{}, err
	}
	return key, secret, nil
}

// Validate joins every fault, each naming its field.
func (k Key) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	if _, err := ParseID(string(k.ID)); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, validateName(k.Name))
	if k.Environment != events.EnvironmentLive && k.Environment != events.EnvironmentTest {
		fault("environment is %q, want live or test", clip(string(k.Environment)))
	} else if !strings.HasPrefix(k.Prefix, head(k.Environment)) || len(k.Prefix) != len(head(k.Environment))+shownDigits {
		fault("prefix does not begin a key of environment %s", k.Environment)
	}
	if k.Tenant != "" {
		if _, err := events.ParseTenantID(string(k.Tenant)); err != nil {
			fault("tenant: %w", err)
		}
	}
	if k.Project != "" {
		if _, err := ParseProject(string(k.Project)); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, k.validateScopes())
	if k.CreatedAt.IsZero() {
		fault("created_at is missing")
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(k.CreatedAt) {
		fault("expires_at is not after created_at")
	}
	return errors.Join(faults...)
}

func validateName(name string) error {
	length := utf8.RuneCountInString(name)
	switch {
	case length < 1 || length > MaxName:
		return fmt.Errorf("%w: name has %d characters, want 1 to %d", ErrInvalid, length, MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: name has a control character or is no UTF-8", ErrInvalid)
	}
	return nil
}

func (k Key) validateScopes() error {
	if len(k.Scopes) == 0 {
		return fmt.Errorf("%w: scopes is empty", ErrInvalid)
	}
	var faults []error
	for i, scope := range k.Scopes {
		switch {
		case !known(scope):
			faults = append(faults, fmt.Errorf("%w: scopes[%d] is %q, which is none", ErrInvalid, i, clip(string(scope))))
		case slices.Contains(k.Scopes[:i], scope):
			faults = append(faults, fmt.Errorf("%w: scopes[%d]: %s is listed twice", ErrInvalid, i, scope))
		case k.Tenant != "" && platform(scope):
			faults = append(faults, fmt.Errorf("%w: scopes[%d] is %s, which no key of a tenant has", ErrInvalid, i, scope))
		}
	}
	return errors.Join(faults...)
}

// Admit makes who holds the secret a caller, if the key is that secret's and
// still good: otherwise it is [ErrMismatch], [ErrRevoked] or [ErrExpired].
// Revoked is revoked, whatever the clock says.
func (k Key) Admit(secret Secret, now time.Time) (Caller, error) {
	switch {
	case !k.Hash.Equal(secret.Hash()) || k.Environment != secret.Environment():
		return Caller{}, ErrMismatch
	case !k.RevokedAt.IsZero():
		return Caller{}, ErrRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return Caller{}, ErrExpired
	}
	return Caller{key: k}, nil
}

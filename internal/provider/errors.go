package provider

import "errors"

// Sentinels.
var (
	// ErrNoCredential occurs when a tenant has no credential for a server in an
	// environment. Implementations of [Credentials] wrap it.
	ErrNoCredential = errors.New("no credential")
	// ErrReplaced occurs when a credential is to take the place of one that is
	// not there any more. Implementations of [Renewals] wrap it.
	ErrReplaced = errors.New("credential was replaced meanwhile")
	// ErrInvalidManifest occurs when a manifest breaks its schema or contradicts
	// itself; the text names file and field.
	ErrInvalidManifest = errors.New("invalid manifest")
	// ErrInvalidCredential occurs when fields are not those that a manifest asks
	// for; the text names the field, never a value.
	ErrInvalidCredential = errors.New("invalid credential")
)

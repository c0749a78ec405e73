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
	// ErrRefused occurs when a provider has said no to a credential, and will
	// again: its account has to be connected anew.
	ErrRefused = errors.New("the provider refuses the credential")
	// ErrUnknownServer occurs when nothing is known of a server, or it has no such
	// environment.
	ErrUnknownServer = errors.New("unknown server")
	// ErrNotConnectable occurs when accounts of a server are not connected by a
	// person's word, or nobody has registered an application for it.
	ErrNotConnectable = errors.New("accounts cannot be connected")
	// ErrInvalidGrant occurs when a part of a connection is not fit to be sent;
	// the text names it, never its value.
	ErrInvalidGrant = errors.New("invalid grant")
	// ErrInvalidManifest occurs when a manifest breaks its schema or contradicts
	// itself; the text names file and field.
	ErrInvalidManifest = errors.New("invalid manifest")
	// ErrInvalidCredential occurs when fields are not those that a manifest asks
	// for; the text names the field, never a value.
	ErrInvalidCredential = errors.New("the credential is invalid")
)

package vault

import "errors"

// Sentinels.
var (
	// ErrNoCredential occurs when a tenant has no credential for a server in an
	// environment.
	ErrNoCredential = errors.New("no credential")
	// ErrSealed occurs when something stored cannot be decrypted: it was sealed
	// for another tenant, server or environment, under another KEK, or was
	// tampered with.
	ErrSealed = errors.New("sealed: cannot be decrypted")
	// ErrInvalid occurs when a name or a field is not fit to be stored; the text
	// names it, never a value.
	ErrInvalid = errors.New("invalid credential")
	// ErrContended occurs when others wrote one entry again and again between
	// our read and our write.
	ErrContended = errors.New("too many writers")
	// ErrExposedKEK occurs when the file of a KEK can be read by others than its
	// owner, or is no regular file.
	ErrExposedKEK = errors.New("the KEK's file is open to others")
)

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
	// ErrReplaced occurs when a credential is to take the place of one that is
	// not there any more.
	ErrReplaced = errors.New("credential was replaced meanwhile")
	// ErrInvalid occurs when a name or a field is not fit to be stored; the text
	// names it, never a value.
	ErrInvalid = errors.New("the credential is invalid")
	// ErrContended occurs when others wrote one entry again and again between
	// our read and our write.
	ErrContended = errors.New("too many writers")
	// ErrShredded occurs when a tenant's keyset was destroyed, or is one of
	// before its destruction that was put back. Nothing sealed with it opens.
	ErrShredded = errors.New("shredded: the tenant's keyset was destroyed")
	// ErrKEK occurs when the KEK cannot be asked: its service is away or refuses.
	ErrKEK = errors.New("the KEK cannot be asked")
	// ErrKEKURI occurs when a text is not the URI of a KEK.
	ErrKEKURI = errors.New("not the URI of a KEK")
	// ErrUnknownKEK occurs when a keyset is to go under a KEK that the vault was
	// not given.
	ErrUnknownKEK = errors.New("the vault was not given this KEK")
	// ErrAudit occurs when the record of a decryption could not be stored. What
	// was decrypted is not handed out then.
	ErrAudit = errors.New("the audit record cannot be stored")
	// ErrBroken occurs when a chain of audit records does not hold: something was
	// changed, taken out or put in.
	ErrBroken = errors.New("the audit chain is broken")
	// ErrExposedKEK occurs when the file of a KEK can be read by others than its
	// owner, or is no regular file.
	ErrExposedKEK = errors.New("the KEK's file is open to others")
)

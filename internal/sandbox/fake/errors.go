package fake

import "errors"

// Sentinels.
var (
	// ErrCredential occurs when an account's credential lacks a field or
	// belongs to another account.
	ErrCredential = errors.New("invalid credential")
	// ErrHook occurs when webhooks cannot be sent to where they are to go.
	ErrHook = errors.New("unfit webhook address")
	// ErrBody occurs when a request's body cannot be read.
	ErrBody = errors.New("unreadable body")
)

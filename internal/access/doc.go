// Package access says who calls the API and what the caller may reach.
//
// It owns the form of API keys (csk_live_..., csk_test_...), what is remembered
// of one ([Key]), the scopes, and the rules by which an authenticated [Caller]
// may act and reach a tenant. It is pure: randomness and time come in.
//
// It promises that the text of a key exists in a [Secret] alone, which neither
// prints, logs nor marshals; that a mistyped key is refused by its checksum
// before anybody is asked about it; that a tenant's key reaches that tenant
// alone, and a test key nothing live, nor the other way round; and that nobody
// hands out a key that reaches further than his own.
//
// It stores nothing and looks nothing up: internal/natskv keeps keys under
// their hash.
package access

// Package vault keeps the tenants' provider credentials.
//
// It owns how a credential is sealed: a key of the operator (the KEK) seals one
// Tink keyset per tenant, and that keyset seals the tenant's credentials. It
// owns the names under which both lie in a [Store], and the type [Secret],
// which prints as [redacted] whatever prints it.
//
// It promises that a ciphertext opens only as what it was sealed as: tenant,
// server, environment, version, time and field names are authenticated with it,
// so that one copied to another place fails with [ErrSealed]. Two vaults that
// meet a new tenant at one time agree on one keyset. [Vault.Shred] destroys the
// keyset, and with it every credential of the tenant, in every copy of the
// store; a vault elsewhere may keep the keyset in memory for Config.CacheFor.
//
// It does not know what a provider's credential consists of, who may read it,
// or where the store is. It puts no value of a credential into an error.
package vault

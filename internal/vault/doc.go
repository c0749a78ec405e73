// Package vault keeps the tenants' provider credentials.
//
// It owns how a credential is sealed: a key of the operator ([KEK], by its URI)
// seals one Tink keyset per tenant, and that keyset seals the tenant's
// credentials. It owns the names under which both lie in a [Store], the chain of
// [Record]s that says who opened what, and the type [Secret], which prints as
// [redacted] whatever prints it.
//
// It promises that a ciphertext opens only as what it was sealed as: tenant,
// server, environment, version, time and field names are authenticated with it,
// so that one copied to another place fails with [ErrSealed]. Two vaults that
// meet a new tenant at one time agree on one keyset. [Vault.Rotate] and
// [Vault.Rekey] leave every credential readable wherever they stop, and
// [Rewrapper] finishes them. [Vault.Shred] destroys the keyset, and with it every
// credential of the tenant; what is put back of it fails with [ErrShredded], in
// a vault elsewhere too that has the keyset in memory.
//
// It promises that [Vault.Open] hands nothing out before the record of it is
// stored. That costs a round trip to the log each time, shared by all who ask
// for the same tenant meanwhile; Config.AuditPatience bounds it, and what is not
// stored by then is refused with [ErrAudit].
//
// It does not know what a provider's credential consists of, who may read it,
// or where the store is. It puts no value of a credential into an error or a
// record. What a caller does with an opened credential, and how long it keeps
// it, is on nobody's record.
//
// Rough edges: whoever can write the log's storage itself can forge a whole
// chain, which only a head that was noted elsewhere shows ([Verify]). A copy of
// the whole store opens for whoever has the KEK of its day.
package vault

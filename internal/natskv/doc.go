// Package natskv keeps small shared state in JetStream key-value buckets: the
// tenants' configuration, API keys, the scheduler's lease, and the vault's
// ciphertext.
//
// It owns the layout of those buckets' entries and one connection of its own,
// [Client]. [Tenants] reads and writes configuration, [Registry] holds it in
// memory and up to date, [Lease] makes one of several processes the leader,
// [VaultStore] keeps sealed records, [Keys] what is remembered of API keys,
// [Keyring] holds those in memory, [Rates] shares a tenant's rate among
// processes, and [Replies] keeps what was answered under an idempotency key.
//
// It promises that a lease has at most one holder by any clock that runs at the
// right speed, that a lookup in the registry does no I/O, that an entry which
// cannot be read is passed over aloud, and that what watches goes on watching
// through the loss of the broker and catches up on what it missed, removals
// included. A keyring promises more: that a revocation is obeyed within a second,
// or nobody is let in.
//
// It makes no buckets: internal/bus does. A bucket that is not there is
// [ErrNoBucket], which names it. Only that of rates, which a broker of one server
// forgets when it restarts, is made again as it was. The one stream that it makes is that of the
// vault's audit, [AuditLog], since nobody else reads or writes it. It encrypts
// nothing and sees no plain secret.
package natskv

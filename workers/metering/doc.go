// Package metering turns what sessions did into what tenants owe: the facts of
// SESSIONS into usage events on USAGE, and these into rows of the ledger.
//
// It owns two handlers. [Meter] publishes exactly one usage event for each
// tool.returned and each model.replied, stamped with what the session's log
// says of session and request. [Writer] books usage events in the ledger.
//
// It promises that a crash at any point changes nothing: a batch is done when
// everything that follows from it is stored, ids follow from the facts, and
// the ledger books an id once. A message that cannot be read never holds up
// the others: the meter makes it a dead letter, the writer puts it into
// quarantine, both with the reason.
//
//	SESSIONS ──batch──► Meter ──► USAGE ──batch──► Writer ──► ledger
//	                      └──► DEAD                   └──► quarantine
//
// It does not pull, acknowledge or retry; whoever hands it batches does. It
// does not decide what is billed; package usage does.
package metering

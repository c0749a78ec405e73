// Package usage is what a tenant used and what it owes for it: facts of the
// session log become usage events, usage events become rows, totals become a
// bill.
//
// It owns the rules of metering ([FromRecord]), the border check of whatever
// arrives on USAGE ([ReadBatch]), exact quantities ([Amount]), what a row counts
// after its corrections ([Net]), and billing periods.
//
// It promises that every step is a pure function: the same facts give the same
// event with the same id and the same row with the same hash. Quantities are
// exact. What cannot be read is named, never dropped.
//
//	tool.returned, model.replied ──FromRecord──► usage.recorded ──ReadBatch──► Row
//	usage.corrected ──ReadBatch──► Correction
//	Row, Correction ──Net──► quantities ──Tally──► Totals
//
// It does no I/O and reads no clock. It does not decide what a tenant may
// spend (that is package fair) and keeps no accounts.
package usage

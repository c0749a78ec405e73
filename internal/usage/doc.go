// Package usage is what a tenant used and what it owes for it: facts of the
// session log become usage events, usage events become rows, totals become a
// bill.
//
// It owns the rules of metering ([FromRecord]), the border check of whatever
// arrives on USAGE ([ReadRow]), exact quantities ([Amount]), money in minor
// units ([Money]), billing periods, the rate card, and rating ([Rate]).
//
// It promises that every step is a pure function: the same facts give the same
// event with the same id, the same row with the same hash, and the same bill
// to the byte. Quantities and prices are exact; an amount of money is rounded
// once, on its line, half to even. What cannot be read or priced is named,
// never dropped.
//
//	tool.returned, model.replied ──FromRecord──► usage.recorded ──ReadRow──► Row
//	Totals (summed by the ledger) ──Rate(card)──► Bill
//
// It does no I/O and reads no clock. It does not decide what a tenant may
// spend (that is package fair) and keeps no accounts.
package usage

// Package budget is how much of its budgets a tenant has used, and whether it
// may use more.
//
// It owns the account of a tenant: what was spent in a period by each way of
// counting, what is set aside for runs that have not ended, and which marks
// have been told. It promises that a run is granted only when spent, set aside
// and its own reservation together are within every hard limit; that spending
// counts each ending once, whatever is told twice and in whatever order; and
// that a mark falls due once in a period.
//
//	Decide ─ granted ──► held ──► Settle (its ending is in the log)
//	       ├ waits: others hold what it needs
//	       ├ refused: it would not fit if nothing else ran
//	       └ unknown: nobody can say what it costs
//
// It does no I/O and keeps no time: time comes in, and what was heard of later
// counts as now. An [Account] belongs to one goroutine at a time. It trusts the
// log: the fact's own time says which period it is of, and its place in the
// stream tells it from others. Amounts are whole millionths, never floats.
package budget

import "errors"

// ErrMoved occurs when a checkpoint was written by somebody else since it was read.
var ErrMoved = errors.New("the checkpoint has moved on")

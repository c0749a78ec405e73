// Package export tells other systems what was used: OpenMeter, Stripe's billing
// meters, Lago, a webhook, and folders of CSV or Parquet files.
//
// It owns how usage is said to each of them, the order of telling and taking,
// and the look at what the other side has ([Exporter.Reconcile]).
//
//	ledger ──items by number──► batch, planned ──► told ──► cursor moves
//	                            └► hourly sums (Stripe) ──► sends ──► told
//
// It promises that nothing is left out, whatever is killed and whenever: the
// cursor moves only over what the other side has taken. What may have been told
// before is told again under the same identifier, so that nothing counts twice
// at a system that honours identifiers; a batch of a webhook and a file keep
// their bounds, too. What the other side refuses, or can no longer bill, stays
// visible until somebody has dealt with it.
//
// It is never the source of truth, keeps no state of its own (the ledger does),
// and prices nothing. Credentials are in no error, log or URL.
package export

import "errors"

// Sentinels.
var (
	// ErrSettings occurs when settings break a rule.
	ErrSettings = errors.New("invalid settings of an export")
	// ErrRefused occurs when the other side will not take a batch as it is.
	ErrRefused = errors.New("the other side refused")
	// ErrUnreachable occurs when the other side gave no answer, or one that says
	// to try again later. What was under way is told again by the next run.
	ErrUnreachable = errors.New("the other side did not take it now")
)

// Package gcra is the generic cell rate algorithm, exact in whole numbers, in
// the form of a bucket: it holds up to Burst tokens, each act takes one, and
// Rate of them come back in a Period, evenly.
//
// It owns that arithmetic ([Limit], [Bucket]), which internal/fair uses for the
// runs of a tenant, and the sharing of one bucket by several processes
// ([Lease]). It is pure: times come in, as ticks since whenever the caller
// likes.
//
// It promises that no bucket gives out more than Burst + Rate x time, however
// times and takers interleave, also when a taker's clock is behind; one that is
// ahead gives out that much time's worth, once. It stores nothing.
package gcra

import "errors"

// ErrInvalid occurs when a limit breaks a rule; the text names the field.
var ErrInvalid = errors.New("invalid rate limit")

// Package lifecycle is how every long-lived part starts and stops.
//
// It owns the one contract, [Part], its one implementation for parts that are
// a loop, [Runner], and their composition, [Group]. Package lifecycletest
// stresses any part against the contract.
//
// It promises that Start and Stop may be called any number of times, from any
// goroutine, in any order. It does not restart what failed, and it knows no
// signals.
//
//	idle ──Start──► running ──Stop──► stopping ──done──► stopped
//	  │                └──────loop returns──────────────────┤
//	  └─────────────────────────Stop────────────────────────┘
package lifecycle

import "context"

// Part is something that runs, once: what has stopped stays stopped.
type Part interface {
	// Name is for logs and errors.
	Name() string
	// Start returns when the part is serving, or cannot. Work goes on until
	// Stop, or until ctx ends, which is a hard stop: running work is cancelled.
	// Starting a part that has been started returns nil, once it is serving;
	// starting one that has stopped returns an error that wraps [ErrStopped].
	// When ctx has ended already, Start returns its cause and starts nothing.
	Start(ctx context.Context) error
	// Stop takes in nothing new, lets running work end, and returns when the
	// part has stopped. When ctx ends first, running work is cancelled, and
	// the error says so. A part that is not running stops at once, and for
	// good: a Stop that overtakes its Start is not lost.
	Stop(ctx context.Context) error
	// Done is closed when the part has stopped, of itself or by Stop. Err then
	// tells why, nil for an ordinary stop, and nil before.
	Done() <-chan struct{}
	Err() error
}

// Package fault makes a server fail on demand: late, with an error, by cutting
// the connection, by answering nonsense or by not answering.
//
// It promises that a fault strikes as often as it was asked to and then no
// more, and that a fault marked AfterEffect lets the server do its work first,
// which is how a caller comes to be in doubt.
//
// It does not know what it wraps. Beware that Go's own HTTP client silently
// sends a GET, or a POST with an Idempotency-Key header, once more when a
// reused connection is cut before an answer: such a cut must strike twice to
// be seen.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Always is the count of a fault that strikes until it is cleared.
const Always = -1

// ErrInvalid occurs when a fault cannot be made; the text names the field.
var ErrInvalid = errors.New("invalid fault")

// Kind is a way to fail.
type Kind string

// Kinds.
const (
	// KindDelay waits for Delay, then goes on as if nothing was.
	KindDelay Kind = "delay"
	// KindStatus answers Status, worded as the provider words it.
	KindStatus Kind = "status"
	// KindCut closes the connection without a byte of answer.
	KindCut Kind = "cut"
	// KindGarbage answers 200 with Body, which defaults to broken JSON.
	KindGarbage Kind = "garbage"
	// KindHang never answers: it waits until the client leaves or the sandbox stops.
	KindHang Kind = "hang"
)

// Fault is one fault to come.
type Fault struct {
	Kind Kind
	// Server is where it strikes, a provider's name or "model".
	Server string
	// Method and Path pick the requests that it strikes; empty picks all. A
	// path picks every request that has it anywhere in its own.
	Method, Path string
	// Times is how many requests it strikes. Defaults to 1; [Always] for all.
	Times int
	// AfterEffect lets the server do its work first, and spoils only the answer.
	AfterEffect bool
	// Delay is the wait of [KindDelay].
	Delay time.Duration
	// Status is the answer of [KindStatus]: 400 to 599.
	Status int
	// RetryAfter, when positive, is sent with [KindStatus] as the header of
	// that name, in whole seconds.
	RetryAfter time.Duration
	// Body is the answer of [KindGarbage].
	Body string
}

func (f Fault) withDefaults() Fault {
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Kind == KindGarbage && f.Body == "" {
		f.Body = `{"id": "half an ans`
	}
	return f
}

// Validate joins every fault of the fault, each naming its field.
func (f Fault) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	switch f.Kind {
	case KindDelay:
		if f.Delay <= 0 {
			fault("delay is %s, want more than 0", f.Delay)
		}
	case KindStatus:
		if f.Status < http.StatusBadRequest || f.Status > 599 {
			fault("status is %d, want 400 to 599", f.Status)
		}
	case KindCut, KindGarbage, KindHang:
	default:
		fault("kind is %q", f.Kind)
	}
	if f.Server == "" {
		fault("server is empty")
	}
	if f.Times < Always {
		fault("times is %d, want %d or more", f.Times, Always)
	}
	return errors.Join(faults...)
}

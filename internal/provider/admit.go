package provider

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// heldError says that a try was kept back: it has certainly not been sent.
type heldError struct {
	code string
	why  string
	// again is when another call may have better luck; 0 when nobody knows.
	again time.Duration
}

func (e *heldError) Error() string { return e.why + "; nothing was sent" + tryAgain(e.again) }

// tryAgain words a wait for the model.
func tryAgain(in time.Duration) string {
	if in <= 0 {
		return ""
	}
	seconds := int64((in + time.Second - 1) / time.Second)
	return "; try again in " + strconv.FormatInt(seconds, 10) + " s"
}

// admit sends a try when its lane lets it pass, and says why not otherwise.
func (a *account) admit(ctx context.Context, t *tool, laid request, key string) answer {
	if held := a.sitOut(ctx); held != nil {
		return answer{err: held}
	}
	config := a.client.config
	within, cancel := context.WithTimeout(ctx, config.QueueWait)
	err := a.lane.slots.Acquire(within, 1)
	cancel()
	switch {
	case err != nil && ctx.Err() != nil:
		return answer{err: ctx.Err()}
	case err != nil:
		return answer{err: &heldError{
			code: events.FaultProviderLimited, again: time.Second,
			why: strconv.Itoa(config.Concurrency) + " calls of this business to " + a.server.manifest.Name + " are under way, which is the most at a time",
		}}
	}
	defer a.lane.slots.Release(1)
	got, err := a.lane.breaker.Execute(func() (answer, error) {
		got := a.try(ctx, t, laid, key)
		return got, saysOf(ctx, got)
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return answer{err: &heldError{
			code: events.FaultProviderError, again: a.lane.opensIn(),
			why: a.server.manifest.Name + " has failed " + strconv.Itoa(config.BreakerFailures) + " times in a row or more, and is left alone for a while",
		}}
	}
	return got
}

// sitOut waits for the end of a pause, unless this call has waited for it, or
// has not the time. A pause that grew meanwhile is sat out too.
func (a *account) sitOut(ctx context.Context) error {
	for {
		until := a.lane.pausedUntil()
		left := until.Sub(a.client.config.Now())
		if left <= 0 || until.Equal(a.satOut) {
			return nil
		}
		if a.wait(ctx, left) != nil {
			return &heldError{code: events.FaultProviderLimited, why: a.server.manifest.Name + " has asked to be left alone", again: left}
		}
		a.satOut = until
	}
}

// heed pauses the lane for as long as a limited answer asks.
func (a *account) heed(got answer, read verdict) {
	if got.status == http.StatusTooManyRequests && read.after > 0 {
		a.satOut = a.client.config.Now().Add(min(read.after, maxPause))
		a.lane.pause(a.satOut)
	}
}

// saysOf is what a try says of the server, for the breaker. Refusals are a sign
// of life; a limit that was reached is none either way.
func saysOf(ctx context.Context, got answer) error {
	var token *tokenError
	switch {
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(got.err, errHost), prohibited(got.err):
		return errNoWord
	case errors.As(got.err, &token) && token.status != 0 && !inDoubt(token.status):
		return errNoWord
	case got.err != nil, inDoubt(got.status):
		return errTrouble
	case got.status == http.StatusTooManyRequests:
		return errNoWord
	default:
		return nil
	}
}

// ofDoubt is the result of a call that may have had its effect before it was
// made here, where nothing was sent now.
func ofDoubt(call agent.Call, safety agent.Safety, result agent.Result) agent.Result {
	if !call.InDoubt || safety == agent.SafetyRead || result.Fault == nil {
		return result
	}
	return unknown(result, "an earlier try may have had its effect; now "+result.Fault.Message)
}

func unknown(result agent.Result, message string) agent.Result {
	result.Status = events.ToolUnknown
	result.Fault = &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: message + "; whether the call had its effect is unknown"}
	return result
}

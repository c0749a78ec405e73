package provider

import (
	"context"
	"errors"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

// admit sends a try when its lane lets it pass, and says why not otherwise.
func (a *account) admit(ctx context.Context, t *tool, laid request, key string) answer {
	if held := a.sitOut(ctx); held != nil {
		return answer{err: held}
	}
	var got answer
	err := a.lane.Admit(ctx, a.server.manifest.Name, func() error {
		got = a.try(ctx, t, laid, key)
		return saysOf(ctx, got)
	})
	if err != nil {
		return answer{err: err}
	}
	return got
}

// sitOut waits for the end of a pause, unless this call has waited for it, or
// has not the time. A pause that grew meanwhile is sat out too.
func (a *account) sitOut(ctx context.Context) error {
	for {
		until := a.lane.PausedUntil()
		left := until.Sub(a.client.config.Now())
		if left <= 0 || until.Equal(a.satOut) {
			return nil
		}
		if a.wait(ctx, left) != nil {
			return egress.Pausing(a.server.manifest.Name, left)
		}
		a.satOut = until
	}
}

// heed pauses the lane for as long as a limited answer asks.
func (a *account) heed(got answer, read verdict) {
	if got.status == http.StatusTooManyRequests && read.after > 0 {
		a.satOut = a.client.config.Now().Add(min(read.after, egress.MaxPause))
		a.lane.Pause(a.satOut)
	}
}

// saysOf is what a try says of the server, for the breaker. Refusals are a sign
// of life; a limit that was reached is none either way.
func saysOf(ctx context.Context, got answer) error {
	var token *tokenError
	switch {
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(got.err, egress.ErrHost), egress.Prohibited(got.err):
		return egress.ErrNoWord
	case errors.As(got.err, &token) && token.status != 0 && !inDoubt(token.status):
		return egress.ErrNoWord
	case got.err != nil, inDoubt(got.status):
		return egress.ErrTrouble
	case got.status == http.StatusTooManyRequests:
		return egress.ErrNoWord
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

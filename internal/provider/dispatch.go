package provider

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/hostile"
)

const maxHeaderShown = 32 // bytes of a provider's header in a log line

// dispatch sends a request until there is a final word, the tries are used up,
// or another one could do harm.
func (a *account) dispatch(ctx context.Context, t *tool, laid request, call agent.Call) agent.Result {
	key := ""
	if t.Safety == agent.SafetyKeyed {
		key = fitKey(call.Key, maxIdempotencyKey)
	}
	waits := a.client.backoff()
	doubted := call.InDoubt
	for attempt := 1; ; attempt++ {
		began := a.client.config.Now()
		got := a.admit(ctx, t, laid, key)
		read := a.judge(t, got, key != "")
		a.heed(got, read)
		read.result.Attempts = attempt
		if read.held {
			read.result.Attempts--
		}
		a.log(ctx, call, got, read, began)
		if read.stale {
			a.client.tokens.forget(a.tokenKey, got.token)
		}
		last := attempt >= a.client.config.Tries || !read.again || read.stale && attempt > 1
		if last || a.wait(ctx, max(read.after, waits.NextBackOff())) != nil {
			result := a.settle(t, read, doubted, key != "")
			result.Passing = result.Status != events.ToolOK && (read.again || read.held)
			return result
		}
		doubted = doubted || read.effect == effectDoubt
	}
}

// settle turns the last try into the call's result, in the light of the tries
// before it.
func (a *account) settle(t *tool, last verdict, doubted, keyed bool) agent.Result {
	result := last.result
	if t.Safety == agent.SafetyRead || last.effect == effectDone {
		return result
	}
	// A provider that honours the key answers for the earlier tries too.
	conclusive := last.effect == effectNone && keyed
	if last.effect != effectDoubt && (!doubted || conclusive) {
		return result
	}
	message := result.Fault.Message
	if last.effect != effectDoubt {
		message = "an earlier try may have had its effect; at last " + message
	}
	return unknown(result, message)
}

var errTooLong = errors.New("the wait is longer than the time left")

// wait sleeps before another try, unless the call would be out of time then.
func (a *account) wait(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return errTooLong
	}
	return a.client.config.Wait(ctx, d)
}

func (c *Client) backoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(c.config.RetryWait),
		backoff.WithMaxElapsedTime(0), // the context bounds it
	)
}

func (a *account) log(ctx context.Context, call agent.Call, got answer, read verdict, began time.Time) {
	fields := append(
		attributes(call),
		"attempt", read.result.Attempts, "http_status", got.status, "status", string(read.result.Status),
		"duration_ms", a.client.config.Now().Sub(began).Milliseconds(),
	)
	if left := got.header.Get(a.server.manifest.RateLimit.Remaining); left != "" {
		fields = append(fields, "rate_remaining", a.scrubber.Scrub(hostile.Clip(hostile.Clean(left), maxHeaderShown)))
	}
	if got.err != nil {
		fields = append(fields, "error", a.scrubber.Scrub(got.err.Error()))
	}
	a.client.config.Logger.DebugContext(ctx, "tool call tried", fields...)
}

func attributes(call agent.Call) []any {
	return []any{
		"tenant", string(call.Tenant), "session", string(call.Session), "request", string(call.Request),
		"server", call.Server, "tool", call.Tool,
	}
}

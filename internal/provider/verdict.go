package provider

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

// effect is what a try did at the provider, as far as can be told.
type effect int

const (
	// effectNone: the provider has not acted, and its word is final.
	effectNone effect = iota
	// effectNotYet: the provider has not acted on this try, which says nothing
	// of any other.
	effectNotYet
	// effectDoubt: nobody knows.
	effectDoubt
	// effectDone: the provider has acted.
	effectDone
)

// verdict is how one try is read.
type verdict struct {
	effect effect
	result agent.Result
	// again is set where another try may help and can do no harm.
	again bool
	// after is the wait that the provider asks for.
	after time.Duration
	// held is set when the try was kept back here.
	held bool
	// stale is set when the token was refused and a new one may do.
	stale bool
}

// judge reads a try. keyed is set when the provider honours the call's key.
func (a *account) judge(t *tool, got answer, keyed bool) verdict {
	repeatable := t.Safety.Repeatable() && (keyed || t.Safety != agent.SafetyKeyed)
	if got.err != nil || got.status == 0 {
		return a.judgeSilence(got, repeatable)
	}
	after := got.retryAfter(a.server.manifest.RateLimit, a.client.config.Now())
	if t.raw {
		return a.judgeRaw(t, got, after)
	}
	switch {
	case got.ok():
		return a.judgeSuccess(t, got)
	case got.status == http.StatusTooManyRequests:
		limited := a.fail(events.FaultProviderLimited, got, "")
		limited.Fault.Message += egress.TryAgain(after)
		return verdict{effect: effectNotYet, again: true, after: after, result: limited}
	case got.status == http.StatusUnauthorized && got.token != "":
		return verdict{effect: effectNotYet, again: true, stale: true, result: a.fail(events.FaultProviderError, got, "refuses the credential")}
	case keyed && slices.Contains(a.server.manifest.Idempotency.BusyStatuses, got.status):
		return verdict{effect: effectDoubt, again: a.mayRetry(got, true), after: after, result: a.fail(events.FaultProviderError, got, "")}
	case inDoubt(got.status):
		return verdict{effect: effectDoubt, again: a.mayRetry(got, repeatable), after: after, result: a.fail(events.FaultProviderError, got, "")}
	case got.status >= 300 && got.status <= 399:
		return verdict{effect: effectDoubt, result: a.fail(events.FaultProviderError, got, "answered with a redirect, which is not followed")}
	case got.status == http.StatusUnauthorized || got.status == http.StatusForbidden:
		return verdict{effect: effectNotYet, result: a.fail(events.FaultProviderError, got, "refuses the credential")}
	default:
		return verdict{effect: effectNone, again: a.wantsRetry(got) && repeatable, after: after, result: a.fail(events.FaultProviderError, got, "")}
	}
}

// inDoubt tells the statuses that servers and proxies give though the work may
// have been done.
func inDoubt(status int) bool {
	switch status {
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	default:
		return status >= 500
	}
}

// judgeSilence reads a try without an answer, or with half of one.
func (a *account) judgeSilence(got answer, repeatable bool) verdict {
	name := a.server.manifest.Name
	var token *tokenError
	var held *egress.HeldError
	switch {
	case errors.As(got.err, &held):
		return verdict{effect: effectNotYet, held: true, result: failure(held.Code, held.Error())}
	case refusedToken(got.err) && errors.As(got.err, &token):
		return verdict{effect: effectNotYet, result: refusal(events.FaultProviderError, name+" refuses the credential: it gives no token for it ("+strconv.Itoa(token.status)+")")}
	case errors.Is(got.err, egress.ErrHost):
		return verdict{effect: effectNotYet, result: refusal(events.FaultProviderError, name+" is not reached at that host: it is none of its manifest's; nothing was sent")}
	case egress.Prohibited(got.err):
		return verdict{effect: effectNotYet, result: refusal(events.FaultProviderError, name+" cannot be reached: its address is not public")}
	case !got.sent && got.timedOut():
		return verdict{effect: effectNotYet, again: true, result: failure(events.FaultProviderTimeout, name+" did not take the connection in time; nothing was sent")}
	case !got.sent:
		return verdict{effect: effectNotYet, again: true, result: failure(events.FaultProviderError, name+" cannot be reached; nothing was sent")}
	case got.timedOut():
		return verdict{effect: effectDoubt, again: repeatable, result: failure(events.FaultProviderTimeout, name+" did not answer in time")}
	default:
		return verdict{effect: effectDoubt, again: repeatable, result: failure(events.FaultProviderError, name+" broke the connection off before its answer was complete")}
	}
}

// judgeSuccess reads a 2xx. What a reading call cannot show has no effect to
// report; what another call cannot show has happened all the same.
func (a *account) judgeSuccess(t *tool, got answer) verdict {
	output, fault := a.output(got)
	if fault == nil {
		return verdict{effect: effectDone, result: agent.Result{Status: events.ToolOK, Output: output}}
	}
	result := agent.Result{Status: events.ToolError, Fault: fault}
	if t.Safety != agent.SafetyRead {
		fault.Message += "; the call had its effect"
		result.Status = events.ToolUnknown
	}
	return verdict{effect: effectDone, result: result}
}

func failure(code, message string) agent.Result {
	return agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: code, Message: message}}
}

// refusal is a failure of which Feira knows beforehand that nothing was sent.
func refusal(code, message string) agent.Result {
	return agent.Result{Status: events.ToolRefused, Fault: &events.ToolFault{Code: code, Message: message}}
}

// wantsRetry is the provider's own word that another try may help.
func (a *account) wantsRetry(got answer) bool {
	rule := a.server.manifest.Idempotency
	return rule != nil && rule.ShouldRetry != "" && got.header.Get(rule.ShouldRetry) == "true"
}

// mayRetry is our rule, unless the provider says that another try cannot help.
func (a *account) mayRetry(got answer, ours bool) bool {
	rule := a.server.manifest.Idempotency
	return ours && (rule == nil || rule.ShouldRetry == "" || got.header.Get(rule.ShouldRetry) != "false")
}

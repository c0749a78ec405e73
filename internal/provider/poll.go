package provider

import (
	"bytes"
	"context"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// LookState is what became of a [Client.Look].
type LookState string

// Look states.
const (
	// LookSeen has a document.
	LookSeen LookState = "seen"
	// LookRefused is a final no to this very request; another may do.
	LookRefused LookState = "refused"
	// LookLimited says that no more is taken now: by the provider, or here.
	LookLimited LookState = "limited"
	// LookAway says that there was no answer, or none with sense in it.
	LookAway LookState = "away"
	// LookUnconnected says that there is no credential, or that it is refused.
	LookUnconnected LookState = "unconnected"
)

// Look is what a provider said when nobody's agent asked. Document and Reason
// are scrubbed of secrets.
type Look struct {
	State LookState
	// Document is the answer, as long as it is: no model reads it.
	Document []byte
	// Again is how long the provider asks to be left alone; 0 for nothing said.
	Again  time.Duration
	Reason string
}

// Look makes a reading call once, in the tenant's lane like any other, and leaves
// it to the caller to try again: what keeps the lane closed for the tenant's
// agents keeps it closed for this, at once and without waiting, and the other
// way round. A token that the provider takes no more is replaced, once.
func (c *Client) Look(ctx context.Context, call agent.Call) Look {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	found := c.find(call.Reach, call.Server, call.Tool)
	if found == nil || found.Safety != agent.SafetyRead {
		return Look{State: LookRefused, Reason: "there is no reading tool " + hostile.Shown(call.Tool) + " at " + hostile.Shown(call.Server)}
	}
	opened, laid, fault := c.prepare(ctx, found, call)
	if fault != nil {
		state := LookUnconnected
		if fault.Code == events.FaultInvalidArguments {
			state = LookRefused
		}
		return Look{State: state, Reason: fault.Message}
	}
	lane, leave := c.lanes.Enter(egress.LaneKey{Tenant: call.Tenant, Server: call.Server, Environment: call.Environment})
	defer leave()
	opened.lane = lane
	if left := lane.PausedUntil().Sub(c.config.Now()); left > 0 {
		return Look{State: LookLimited, Again: left, Reason: egress.Pausing(opened.server.manifest.Name, left).Error()}
	}
	return opened.look(ctx, found, laid, call)
}

func (a *account) look(ctx context.Context, t *tool, laid request, call agent.Call) Look {
	for attempt := 1; ; attempt++ {
		began := a.client.config.Now()
		got := a.admit(ctx, t, laid, "")
		read := a.judge(t, got, false)
		a.heed(got, read)
		read.result.Attempts = attempt
		a.log(ctx, call, got, read, began)
		if read.stale {
			a.client.tokens.forget(a.tokenKey, got.token)
			if attempt == 1 {
				continue
			}
		}
		return a.seen(got, read)
	}
}

// seen is a try as a look.
func (a *account) seen(got answer, read verdict) Look {
	look := Look{Again: read.after}
	if fault := read.result.Fault; fault != nil {
		look.Reason = fault.Message
	}
	switch {
	case read.held:
		look.State = LookAway
		if read.result.Fault.Code == events.FaultProviderLimited {
			look.State = LookLimited
		}
	case got.tooLarge:
		look.State = LookRefused // fewer may do
	case got.err == nil && got.ok():
		return a.document(got)
	case read.result.Fault != nil && read.result.Fault.Code == events.FaultProviderLimited:
		look.State = LookLimited
	case refusedToken(got.err), got.status == 401, got.status == 403:
		look.State = LookUnconnected
	case read.effect == effectNone && got.err == nil:
		look.State = LookRefused
	default:
		look.State = LookAway
	}
	return look
}

// document is a good answer, clean and scrubbed like a result and not cut.
func (a *account) document(got answer) Look {
	away := Look{State: LookAway, Reason: a.server.manifest.Name + " answered with something that is not JSON"}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body))
	if err != nil {
		return away
	}
	text, err := encodeJSON(a.scrubber.Document(document))
	if err != nil {
		return away
	}
	return Look{State: LookSeen, Document: []byte(a.scrubber.Scrub(string(text)))}
}

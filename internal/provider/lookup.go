package provider

import (
	"bytes"
	"context"
	"net/http"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

// Lookup implements [agent.Provider]. What it finds is read for equality with
// the key here, never taken on the provider's word that it filtered; and only
// an empty list, of a provider that is known to filter, says that there was no
// effect.
func (c *Client) Lookup(ctx context.Context, call agent.Call) (agent.Result, bool) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	found := c.find(call.Reach, call.Server, call.Tool)
	if found == nil || found.lookup == nil || call.Key == "" {
		return agent.Result{}, false
	}
	on := c.servers[call.Server]
	args, fault := found.arguments(call.Arguments)
	if fault != nil {
		return agent.Result{}, false
	}
	laid, fault := found.request(on.manifest, args, call.Environment, call.Key)
	if fault != nil || !laid.traced {
		return agent.Result{}, false
	}
	search, fault := found.lookup.request(on.manifest, args, call.Environment, call.Key)
	if fault != nil {
		return agent.Result{}, false
	}
	opened, fault := c.account(ctx, on, call)
	if fault != nil {
		return agent.Result{}, false
	}
	lane, leave := c.lanes.Enter(egress.LaneKey{Tenant: call.Tenant, Server: call.Server, Environment: call.Environment})
	defer leave()
	opened.lane = lane
	return opened.search(ctx, found, search, call)
}

// search looks until something is found. Nothing found is looked at again: the
// call in doubt may only just have arrived.
func (a *account) search(ctx context.Context, t *tool, laid request, call agent.Call) (agent.Result, bool) {
	reading := &tool{ToolSpec: ToolSpec{Name: t.Name, Safety: agent.SafetyRead, Method: http.MethodGet, Timeout: t.Timeout}}
	waits := a.client.backoff()
	absent := false
	for attempt := 1; attempt <= a.client.config.Tries; attempt++ {
		if attempt > 1 && a.wait(ctx, waits.NextBackOff()) != nil {
			break
		}
		began := a.client.config.Now()
		got := a.admit(ctx, reading, laid, "")
		read := a.judge(reading, got, false)
		a.heed(got, read)
		read.result.Attempts = attempt
		a.log(ctx, call, got, read, began)
		absent = false
		if read.stale {
			a.client.tokens.forget(a.tokenKey, got.token)
			continue
		}
		if !got.ok() || got.err != nil || got.tooLarge {
			if !read.again {
				return agent.Result{}, false
			}
			continue
		}
		element, outcome := t.lookup.match(got.body, fitKey(call.Key, maxTraceKey))
		switch outcome {
		case matchFound:
			output, fault := a.outputOf(element)
			return agent.Result{Status: events.ToolOK, Output: output, Attempts: attempt}, fault == nil
		case matchUnclear:
			return agent.Result{}, false
		case matchAbsent:
			absent = true
		}
	}
	if !absent {
		return agent.Result{}, false
	}
	result := failure(events.FaultProviderError, a.server.manifest.Name+" knows nothing of the call: it had no effect")
	result.Attempts = a.client.config.Tries
	return result, true
}

// matching is what an answer says of a key.
type matching int

const (
	matchUnclear matching = iota
	matchFound
	matchAbsent
)

// match finds the one element that carries the key.
func (l *lookup) match(body []byte, key string) (any, matching) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return nil, matchUnclear
	}
	listed, ok := at(document, l.List)
	list, isList := listed.([]any)
	if !ok || !isList {
		return nil, matchUnclear
	}
	var matched []any
	for _, element := range list {
		if held, ok := at(element, l.Match); ok && held == any(key) {
			matched = append(matched, element)
		}
	}
	switch {
	case len(matched) == 1:
		return matched[0], matchFound
	case len(list) == 0 && l.Conclusive:
		return nil, matchAbsent
	default:
		return nil, matchUnclear
	}
}

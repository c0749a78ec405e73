package bus

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Active is a session with the sequence of its last event.
type Active struct {
	Tenant   events.TenantID
	Session  events.SessionID
	Sequence uint64
}

// RecentParams says which sessions are asked for.
type RecentParams struct {
	// Tenant narrows it to one; empty means all.
	Tenant events.TenantID
	// Before leaves out what happened at this sequence or after it; 0: nothing.
	Before uint64
	// Window is how many places of the stream are looked at where the tenant is
	// empty: however many sessions there are, the answer costs no more than that.
	Window uint64
}

// Recent lists sessions by their last event, the latest first. Of a tenant it is
// all that have a log; of all tenants it is those of the last places of the
// stream, and older is what to ask Before for more, 0 when there is no more. A
// session may have an event at or behind Before that the listing of all tenants
// did not look at: its log tells.
func (l *Log) Recent(ctx context.Context, params RecentParams) (recent []Active, older uint64, err error) {
	from, end, err := l.window(ctx, params)
	if err != nil {
		return nil, 0, fmt.Errorf("listing sessions: %w", err)
	}
	if end == 0 {
		return nil, 0, nil
	}
	last := map[string]uint64{}
	r := reader{bus: l.bus, next: from, end: end, config: readerConfig{
		Stream: events.StreamSessions, Subject: events.TenantSessionsSubject(params.Tenant), HeadersOnly: true, LastOfEach: params.Tenant != "",
	}}
	err = r.run(ctx, func(batch []events.Headline, caughtUp bool) error {
		for _, headline := range batch {
			if params.Before == 0 || headline.Sequence < params.Before {
				last[headline.Subject] = headline.Sequence
			} else if params.Tenant == "" {
				return errCaughtUp
			}
		}
		if caughtUp {
			return errCaughtUp
		}
		return nil
	})
	if err == nil {
		err = context.Cause(ctx) // the reader takes its end for no error
	}
	if err != errCaughtUp { //nolint:errorlint // it comes as it was given
		return nil, 0, fmt.Errorf("listing sessions: %w", err)
	}
	for subject, sequence := range last {
		if owner, id, err := events.SubjectSession(subject); err == nil {
			recent = append(recent, Active{Tenant: owner, Session: id, Sequence: sequence})
		}
	}
	slices.SortFunc(recent, func(a, b Active) int { return cmp.Compare(b.Sequence, a.Sequence) })
	if params.Tenant == "" && from > 1 {
		older = from
	}
	return recent, older, nil
}

// window is what part of the stream is read; an end of 0: nothing is there.
func (l *Log) window(ctx context.Context, params RecentParams) (from, end uint64, err error) {
	stream, err := l.bus.js.Stream(ctx, events.StreamSessions)
	if err != nil {
		return 0, 0, err
	}
	state := stream.CachedInfo().State
	end = state.LastSeq
	if params.Before > 0 {
		end = min(end, params.Before-1)
	}
	if state.Msgs == 0 || end < state.FirstSeq {
		return 0, 0, nil
	}
	from = 1
	if params.Tenant == "" && end > params.Window {
		from = end - params.Window + 1
	}
	if from <= state.FirstSeq {
		from = 1
	}
	if params.Tenant != "" {
		end = state.LastSeq // each session's last event may lie anywhere
	}
	return from, end, nil
}

// startOf says where a consumer begins.
func (c readerConfig) startOf(config *jetstream.ConsumerConfig, next uint64) {
	if c.LastOfEach {
		// After a gap all come again: who reads so keeps what is last.
		config.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
		return
	}
	config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, next
}

package bus

import (
	"context"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
)

// maxFilters is how many subjects a consumer may be asked to tell apart: beyond
// them it is cheaper to read all, and to pass over what is not wanted.
const maxFilters = 64

// WatchParams say what to watch in SESSIONS.
type WatchParams struct {
	Tenants []events.TenantID
	Types   []events.Type
	// After is the sequence behind which to begin.
	After uint64
}

// Watch hands over the events of these types, of these tenants, stored ones
// first, then what comes, in order, each once, until ctx ends, which is no
// error. through is the last sequence that was looked at: what was wanted at or
// before it has come. caughtUp is as for [Requests.Watch]. An error of deliver
// ends it.
func (l *Log) Watch(ctx context.Context, params WatchParams, deliver func(batch []events.Record, through uint64, caughtUp bool) error) error {
	config := readerConfig{Stream: events.StreamSessions, Subject: events.SubjectAllSessions, After: params.After}
	if n := len(params.Tenants); n > 0 && n <= maxFilters {
		config.Subject = ""
		for _, tenant := range params.Tenants {
			config.Subjects = append(config.Subjects, events.TenantSessionsSubject(tenant))
		}
	}
	through := params.After
	r := reader{bus: l.bus, config: config}
	err := r.run(ctx, func(batch []events.Headline, caughtUp bool) error {
		var wanted []events.Record
		for _, headline := range batch {
			through = headline.Sequence
			if !slices.Contains(params.Types, events.Type(headline.Header.Value(events.HeaderType))) {
				continue
			}
			if tenant, err := events.SubjectTenant(headline.Subject); err != nil || !slices.Contains(params.Tenants, tenant) {
				continue
			}
			wanted = append(wanted, l.bus.record(ctx, headline.Message))
		}
		return deliver(wanted, through, caughtUp)
	})
	if err != nil {
		return fmt.Errorf("watching %s: %w", events.StreamSessions, err)
	}
	return nil
}

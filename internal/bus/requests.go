package bus

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Requests is where requests wait until they are served. It is safe for
// concurrent use.
type Requests struct{ bus *Bus }

// Requests returns the stream of requests.
func (b *Bus) Requests() *Requests { return &Requests{bus: b} }

// Publish stores a request and returns its sequence. A tenant with as many
// requests waiting as the broker keeps is refused with [ErrBacklogFull], a
// message above the broker's limits with events.ErrTooLarge, a subject that the
// credentials do not permit with [ErrForbidden].
func (r *Requests) Publish(ctx context.Context, message events.Message) (uint64, error) {
	sequence, err := r.bus.store(ctx, outbound(message))
	switch {
	case isSubjectFull(err):
		return 0, r.full(ctx, message.Subject)
	case err != nil:
		return 0, fmt.Errorf("publishing to %s: %w", message.Subject, err)
	}
	return sequence, nil
}

// full names the tenant and, where the credentials permit to ask, the limit.
func (r *Requests) full(ctx context.Context, subject string) error {
	tenant, err := events.SubjectTenant(subject)
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", subject, ErrBacklogFull)
	}
	stream, err := r.bus.js.Stream(ctx, events.StreamRequests)
	if err != nil {
		return fmt.Errorf("%w: tenant %s", ErrBacklogFull, tenant)
	}
	most := int(stream.CachedInfo().Config.MaxMsgsPerSubject)
	return &BacklogError{Tenant: tenant, Depth: most, Limit: most}
}

// Read returns the request at the sequence; false when it is certainly gone,
// on the word of the stream's leader.
func (r *Requests) Read(ctx context.Context, sequence uint64) (events.Message, bool, error) {
	message, found, err := r.bus.direct(ctx, events.StreamRequests, sequence)
	if err == nil && !found {
		message, found, err = r.bus.leader(ctx, events.StreamRequests, directQuery{Sequence: sequence})
	}
	if err != nil {
		return events.Message{}, false, fmt.Errorf("reading request %d: %w", sequence, err)
	}
	return message, found, nil
}

// First is the sequence of the first request that is still there, or the next
// one to come where there is none.
func (r *Requests) First(ctx context.Context) (uint64, error) {
	stream, err := r.bus.js.Stream(ctx, events.StreamRequests)
	if err != nil {
		return 0, fmt.Errorf("opening stream %s: %w", events.StreamRequests, err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq + 1, nil
	}
	return state.FirstSeq, nil
}

// Waiting reports whether the request is still there.
func (r *Requests) Waiting(ctx context.Context, sequence uint64) (bool, error) {
	_, found, err := r.Read(ctx, sequence)
	return found, err
}

// Watch hands every request that is kept, and then every new one, to deliver:
// without bodies, in order, each once, as many at a time as are at hand.
// caughtUp is true from the batch on that reaches what was the end of the
// stream at the start; when there is nothing, it comes with an empty batch.
// Watch blocks until ctx ends, which is no error. When the connection is lost
// it goes on behind the last one delivered. An error of deliver ends it.
func (r *Requests) Watch(ctx context.Context, deliver func(batch []events.Headline, caughtUp bool) error) error {
	reader := reader{bus: r.bus, config: readerConfig{Stream: events.StreamRequests, Subject: events.SubjectAllRequests, HeadersOnly: true}}
	if err := reader.run(ctx, deliver); err != nil {
		return fmt.Errorf("watching %s: %w", events.StreamRequests, err)
	}
	return nil
}

package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Windows in which the broker drops a message whose Nats-Msg-Id it knows. One
// table serves a whole stream, and any producer of REQUESTS may fill it, so
// there the window is the shortest that the broker allows.
const (
	windowRequests = 100 * time.Millisecond
	windowUsage    = 2 * time.Minute
	windowTriggers = 10 * time.Minute // a batch of facts that is read again comes within seconds
	windowDead     = time.Hour
)

// Durable consumers park at most so many pulls, and hold so many messages that
// are not acknowledged yet.
const (
	maxWaiting      = 16_384
	maxBatchPending = 65_536
	batchLease      = 10 * time.Second
)

// Topology is how the streams and buckets of Feira are to be. The zero value
// is a single broker with the defaults.
type Topology struct {
	// Replicas of every stream and bucket. Defaults to 1.
	Replicas int
	// Backlog is how many requests of one tenant may wait. Defaults to
	// events.DefaultBacklog.
	Backlog int64
	// SessionsAge, UsageAge and DeadAge are how long a message stays. Default
	// to events.DefaultSessionsAge and its like.
	SessionsAge time.Duration
	UsageAge    time.Duration
	DeadAge     time.Duration
	// RunLease is how long a run belongs to a worker that is not heard of.
	// Defaults to events.RunLease.
	RunLease time.Duration
	// Apply lets Provision change what exists where nothing can be lost by it:
	// wider limits, other replicas. What would drop messages is reported only.
	Apply bool
}

func (t Topology) withDefaults() Topology {
	t.Replicas = cmp.Or(t.Replicas, 1)
	t.Backlog = cmp.Or(t.Backlog, events.DefaultBacklog)
	t.SessionsAge = cmp.Or(t.SessionsAge, events.DefaultSessionsAge)
	t.UsageAge = cmp.Or(t.UsageAge, events.DefaultUsageAge)
	t.DeadAge = cmp.Or(t.DeadAge, events.DefaultDeadAge)
	t.RunLease = cmp.Or(t.RunLease, events.RunLease)
	return t
}

// Validate joins every fault, each naming its field.
func (t Topology) Validate() error {
	var faults []error
	if t.Replicas < 0 || t.Replicas > 5 {
		faults = append(faults, fmt.Errorf("%w: replicas is %d, want 1 to 5", ErrInvalidConfig, t.Replicas))
	}
	if t.Backlog < 0 {
		faults = append(faults, fmt.Errorf("%w: backlog is %d", ErrInvalidConfig, t.Backlog))
	}
	if t.SessionsAge < 0 || t.UsageAge < 0 || t.DeadAge < 0 || t.RunLease < 0 {
		faults = append(faults, fmt.Errorf("%w: an age or the run lease is negative", ErrInvalidConfig))
	}
	return errors.Join(faults...)
}

// Provision creates the streams, durable consumers and buckets that are
// missing. What exists with another setting is never changed in silence: each
// difference comes back as a [Drift]. Consumers of earlier versions that nobody
// reads by any more are deleted, and told of in the same way. It may be called by
// several roles at one time, and of a cluster that has just begun: see
// [Bus.UntilPlaced].
func (b *Bus) Provision(ctx context.Context, topology Topology) ([]Drift, error) {
	if err := topology.Validate(); err != nil {
		return nil, err
	}
	var drifts []Drift
	for _, provision := range b.makers(topology.withDefaults()) {
		var found []Drift
		err := b.UntilPlaced(ctx, func() (err error) {
			found, err = provision(ctx)
			return err
		})
		if err != nil {
			return drifts, err
		}
		drifts = append(drifts, found...)
	}
	return drifts, nil
}

// streams are the rows of the design's table. All of them keep their messages
// on disk and answer direct gets.
func (t Topology) streams() []jetstream.StreamConfig {
	streams := []jetstream.StreamConfig{
		{
			Name: events.StreamRequests, Subjects: []string{events.SubjectAllRequests},
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: t.Backlog,
			MaxMsgSize: events.MaxMessageBytes, Duplicates: windowRequests,
		},
		{
			Name: events.StreamRuns, Subjects: []string{events.SubjectAllRuns}, Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1, Duplicates: windowRequests,
		},
		{
			Name: events.StreamSessions, Subjects: []string{events.SubjectAllSessions}, MaxAge: t.SessionsAge, Duplicates: windowRequests,
			RePublish: &jetstream.RePublish{Source: events.FeedSource, Destination: events.FeedTarget},
		},
		{Name: events.StreamUsage, Subjects: []string{events.SubjectAllUsage}, MaxAge: t.UsageAge, Duplicates: min(windowUsage, t.UsageAge)},
		{
			Name: events.StreamWebhooks, Subjects: []string{events.SubjectAllWebhooks},
			Retention: jetstream.WorkQueuePolicy, Duplicates: windowUsage,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: events.WebhooksBacklog,
		},
		{Name: events.StreamTriggers, Subjects: []string{events.SubjectAllTriggers}, Duplicates: windowTriggers},
		{
			Name: events.StreamDeliveries, Subjects: []string{events.SubjectAllDeliveries}, MaxAge: events.DefaultDeliveriesAge,
			MaxMsgsPerSubject: events.MaxDeliveriesKept, Duplicates: windowUsage,
		},
		{Name: events.StreamDead, Subjects: []string{events.SubjectAllDead}, MaxAge: t.DeadAge, Duplicates: min(windowDead, t.DeadAge)},
	}
	for i := range streams {
		streams[i].Storage = jetstream.FileStorage
		streams[i].Replicas = t.Replicas
		streams[i].AllowDirect = true
	}
	return streams
}

type durable struct {
	stream string
	config jetstream.ConsumerConfig
}

// consumers never give up a message (MaxDeliver): on RUNS one that the broker
// stopped delivering would hold its session's place for ever.
func (t Topology) consumers() []durable {
	return []durable{
		{stream: events.StreamRuns, config: jetstream.ConsumerConfig{
			Durable: events.DurableWorkers, AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: t.RunLease, MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxWaiting,
		}},
		{stream: events.StreamSessions, config: batchConsumer(events.DurableMeter)},
		{stream: events.StreamUsage, config: batchConsumer(events.DurableLedger)},
		{stream: events.StreamWebhooks, config: batchConsumer(events.DurableWebhooks)},
		{stream: events.StreamSessions, config: batchConsumer(events.DurableObjects)},
		{stream: events.StreamSessions, config: batchConsumer(events.DurablePolls)},
	}
}

// obsolete are the durable consumers of earlier versions.
func obsolete() []durable {
	return []durable{{stream: events.StreamSessions, config: jetstream.ConsumerConfig{Durable: events.DurableTriggersOfOld}}}
}

func batchConsumer(name string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: batchLease, MaxDeliver: -1, MaxAckPending: maxBatchPending, MaxWaiting: maxWaiting,
	}
}

func (t Topology) buckets() []jetstream.KeyValueConfig {
	buckets := []jetstream.KeyValueConfig{
		{Bucket: events.BucketTenants},
		{Bucket: events.BucketKeys},
		{Bucket: events.BucketVault},
		{Bucket: events.BucketLeases, TTL: events.LeaseTTL},
		{Bucket: events.BucketSpend},
		{Bucket: events.BucketTriggers},
		{Bucket: events.BucketCursors},
		{Bucket: events.BucketRates, TTL: events.RatesAge, Storage: jetstream.MemoryStorage},
		{Bucket: events.BucketReplies, TTL: events.RepliesAge, LimitMarkerTTL: events.ReplyMarkerAge},
		{Bucket: events.BucketGrants, TTL: events.GrantsAge},
		{Bucket: events.BucketInbox, TTL: events.InboxAge},
		{Bucket: events.BucketObjects, TTL: events.ObjectsAge},
		{Bucket: events.BucketPolls, TTL: events.PollsAge},
		{Bucket: events.BucketRateCards},
	}
	for i := range buckets {
		buckets[i].History = 1 // and on disk, where nothing else is said
		buckets[i].Replicas = t.Replicas
	}
	return buckets
}

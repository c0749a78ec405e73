package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// AuditConfig says how the audit's stream is made.
type AuditConfig struct {
	// Replicas is how many servers keep it. Defaults to 1.
	Replicas int
	// Age is how long records are kept. Defaults to [events.DefaultAuditAge].
	Age time.Duration
}

// ProvisionAudit makes the stream of the vault's audit where there is none, and
// leaves one that is there as it is. Nothing in it can be deleted or purged by a
// client: what is written stays until it is too old.
func (c *Client) ProvisionAudit(ctx context.Context, config AuditConfig) error {
	if config.Replicas == 0 {
		config.Replicas = 1
	}
	if config.Age == 0 {
		config.Age = events.DefaultAuditAge
	}
	_, err := c.js.Stream(ctx, events.StreamAudit)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = c.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: events.StreamAudit, Subjects: []string{events.SubjectAllAudit}, MaxAge: config.Age, Replicas: config.Replicas,
			Storage: jetstream.FileStorage, Compression: jetstream.S2Compression, DenyDelete: true, DenyPurge: true,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil // another was faster
		}
	}
	if err != nil {
		return fmt.Errorf("making stream %s: %w", events.StreamAudit, err)
	}
	return nil
}

// AuditLog keeps the vault's audit records, a subject per tenant. It is safe
// for concurrent use.
type AuditLog struct {
	client *Client
	stream jetstream.Stream
}

// Audit opens the audit's stream, or is [ErrNoStream].
func (c *Client) Audit(ctx context.Context) (*AuditLog, error) {
	stream, err := c.js.Stream(ctx, events.StreamAudit)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("opening stream %s: %w", events.StreamAudit, ErrNoStream)
	}
	if err != nil {
		return nil, fmt.Errorf("opening stream %s: %w", events.StreamAudit, err)
	}
	return &AuditLog{client: c, stream: stream}, nil
}

// Last returns a tenant's last batch with its position; position 0 and no error
// when there is none. The stream answers no direct gets, so it is the leader's
// word.
func (a *AuditLog) Last(ctx context.Context, tenant events.TenantID) (batch []byte, position uint64, err error) {
	message, err := a.stream.GetLastMsgForSubject(ctx, events.AuditSubject(tenant))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the last audit record of %s: %w", tenant, err)
	}
	return message.Data, message.Sequence, nil
}

// Append stores a batch only if the tenant's last one is still at after;
// otherwise it is [ErrConflict] and changes nothing. After any other error the
// batch may or may not have been stored.
func (a *AuditLog) Append(ctx context.Context, tenant events.TenantID, batch []byte, after uint64) (position uint64, err error) {
	stored, err := a.client.js.Publish(ctx, events.AuditSubject(tenant), batch,
		jetstream.WithExpectStream(events.StreamAudit), jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
	switch {
	case refused(err) || wrongSequence(err):
		return 0, fmt.Errorf("storing audit records of %s: %w", tenant, ErrConflict)
	case err != nil:
		return 0, fmt.Errorf("storing audit records of %s: %w", tenant, err)
	default:
		return stored.Sequence, nil
	}
}

func wrongSequence(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) // of a stream with replicas
}

// Read tells a tenant's batches in order, up to the last there was when it began.
func (a *AuditLog) Read(ctx context.Context, tenant events.TenantID, each func(batch []byte) error) error {
	_, last, err := a.Last(ctx, tenant)
	if err != nil || last == 0 {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	consumer, err := a.client.js.OrderedConsumer(ctx, events.StreamAudit, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.AuditSubject(tenant)},
	})
	if err != nil {
		return fmt.Errorf("reading audit records of %s: %w", tenant, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("reading audit records of %s: %w", tenant, err)
	}
	defer messages.Stop()
	for {
		message, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("reading audit records of %s: %w", tenant, err)
		}
		about, err := message.Metadata()
		if err != nil {
			return fmt.Errorf("reading audit records of %s: %w", tenant, err)
		}
		if err := each(message.Data()); err != nil {
			return err
		}
		if about.Sequence.Stream >= last {
			return nil
		}
	}
}

// Tenants lists the tenants that have records, sorted; those without a keyset
// any more too.
func (a *AuditLog) Tenants(ctx context.Context) ([]events.TenantID, error) {
	info, err := a.stream.Info(ctx, jetstream.WithSubjectFilter(events.SubjectAllAudit))
	if err != nil {
		return nil, fmt.Errorf("listing audited tenants: %w", err)
	}
	tenants := make([]events.TenantID, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		// Not only tenants have one: the operator's own has a name that no tenant's
		// id can be.
		tenants = append(tenants, events.TenantID(strings.TrimPrefix(subject, events.AuditSubject(""))))
	}
	slices.Sort(tenants)
	return tenants, nil
}

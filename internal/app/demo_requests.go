package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/tenant"
)

// ending names the one turn.completed of a request.
type ending struct {
	tenant  events.TenantID
	session events.SessionID
	request events.RequestID
}

// producer connects as the tenant's own system would, with its own credentials.
func (d *demo) producer(ctx context.Context, id tenant.ID) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Config{
		URL: d.world.cfg.NATS.URL, Name: "shop of " + string(id), User: string(id), Password: d.passwords[id],
		InboxPrefix: natsd.InboxPrefix(id), Timeout: 2 * time.Second,
		Logger: slog.New(slog.DiscardHandler), // what the broker forbids it is part of the play
	})
}

// publish sends a request and notes that the broker took it.
func (d *demo) publish(ctx context.Context, producer *bus.Bus, params events.RequestParams, request events.Request) (Sent, error) {
	params.ID = newRequestID()
	message, err := events.NewRequest(params, request)
	if err != nil {
		return Sent{}, err
	}
	d.ask(params)
	sequence, err := producer.Requests().Publish(ctx, message)
	if err != nil {
		return Sent{}, fmt.Errorf("publishing as %s: %w", params.Tenant, err)
	}
	sent := identify(message, sequence)
	d.mu.Lock()
	d.accepted = append(d.accepted, sent)
	d.mu.Unlock()
	return sent, nil
}

// ask notes when a session's first request is made. A later one of the same
// session waits for it, which says nothing of fairness.
func (d *demo) ask(params events.RequestParams) {
	d.mu.Lock()
	defer d.mu.Unlock()
	earlier := slices.ContainsFunc(d.accepted, func(sent Sent) bool {
		return sent.Tenant == params.Tenant && sent.Session == params.Session
	})
	if !earlier {
		d.asked[params.ID] = d.operator.kit.now()
	}
}

func newRequestID() events.RequestID { return events.RequestID(newID("req")) }

// listen hears the feeds of all tenants.
func (d *demo) listen(ctx context.Context) error {
	broker, err := d.operator.kit.broker(ctx)
	if err != nil {
		return err
	}
	for _, customer := range d.tenants {
		if err := broker.Feed().Subscribe(ctx, customer.ID, "", d.hear); err != nil {
			return fmt.Errorf("listening to the feed of %s: %w", customer.ID, err)
		}
	}
	return nil
}

func (d *demo) hear(record events.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Event(record)
	switch record.Event.(type) {
	case *events.TurnStarted:
		if asked, first := d.asked[record.Request]; first {
			d.slowest[record.Tenant] = max(d.slowest[record.Tenant], record.Time.Sub(asked))
		}
		return
	case *events.TurnCompleted:
	default:
		return
	}
	d.endings[ending{record.Tenant, record.Session, record.Request}]++
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// await waits until every accepted request has its ending.
func (d *demo) await(ctx context.Context) error {
	for {
		d.mu.Lock()
		open := 0
		for _, sent := range d.accepted {
			if d.endings[ending{sent.Tenant, sent.Session, sent.Request}] == 0 {
				open++
			}
		}
		d.mu.Unlock()
		if open == 0 {
			return nil
		}
		select {
		case <-d.changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d requests: %w", open, context.Cause(ctx))
		}
	}
}

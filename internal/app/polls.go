package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/poll"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/workers/upkeep"
)

// buildPolls makes what asks providers that send no webhooks, and what learns
// from the log for what.
func buildPolls(ctx context.Context, k *kit) (lifecycle.Part, error) {
	polls, err := k.polls(ctx)
	if err != nil {
		return nil, err
	}
	learning, err := k.lookout(ctx)
	if err != nil {
		return nil, err
	}
	return lifecycle.NewGroup("polling", polls, learning), nil
}

// lookout makes what writes down what is to be asked for.
func (k *kit) lookout(ctx context.Context) (lifecycle.Part, error) {
	known, tenants, err := k.polled(ctx)
	if err != nil {
		return nil, err
	}
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	lookout, err := upkeep.NewLookout(upkeep.LookoutConfig{Records: known, Tenants: tenants, Pauses: k.pauses(), Logger: k.log, Now: k.now})
	if err != nil {
		return nil, err
	}
	return broker.NewBatches(bus.BatchConfig{
		Stream: events.StreamSessions, Durable: events.DurablePolls, Handler: lookout.Handle, Logger: k.log,
	})
}

// polls makes what asks.
func (k *kit) polls(ctx context.Context) (lifecycle.Part, error) {
	known, tenants, err := k.polled(ctx)
	if err != nil {
		return nil, err
	}
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	client, err := k.providers(ctx)
	if err != nil {
		return nil, err
	}
	observer, err := k.watchPolls()
	if err != nil {
		return nil, err
	}
	return upkeep.NewPolls(upkeep.PollsConfig{
		ID: newID("upk"), Records: known, Follower: known, Tenants: tenants, Asker: pollAsker{client}, Post: broker.Webhooks(),
		Connection: gateway.ConnectionID, Pauses: k.pauses(), Slots: k.cfg.Upkeep.PollSlots, Observer: observer, Logger: k.log, Now: k.now,
	})
}

// polled opens what is known of the objects that are polled, and whose they are.
func (k *kit) polled(ctx context.Context) (records, truth, error) {
	kv, err := k.buckets(ctx)
	if err != nil {
		return records{}, truth{}, err
	}
	tenants, err := k.tenants(ctx)
	if err != nil {
		return records{}, truth{}, err
	}
	bucket, err := kv.Records(ctx, events.BucketPolls)
	return records{bucket, upkeep.ErrMoved}, truth{tenants}, err
}

func (k *kit) pauses() poll.Pauses { return poll.Pauses{First: k.cfg.Upkeep.PollFirst} }

// truth tells of tenants from the bucket itself: who was paused or deleted an
// instant ago is not asked for.
type truth struct{ tenants *natskv.Tenants }

// Lookup implements [upkeep.Tenants].
func (t truth) Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	return t.tenants.Lookup(ctx, id)
}

// pollAsker asks by the providers' client: through the same walls, lanes and vault as
// the tools of the tenant's agents. It is no call of theirs, and nobody's bill.
type pollAsker struct{ client *provider.Client }

// Ask implements [upkeep.Asker].
func (a pollAsker) Ask(ctx context.Context, question upkeep.Question) upkeep.Answer {
	ctx = context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: "poll of what a session made", Tool: question.Tool})
	look := a.client.Look(ctx, agent.Call{
		Tenant: question.Tenant, Environment: question.Environment, Server: question.Server, Tool: question.Tool, Arguments: question.Arguments,
	})
	return upkeep.Answer{State: stateOf(look.State), Body: look.Document, Again: look.Again, Reason: look.Reason}
}

func stateOf(state provider.LookState) upkeep.AnswerState {
	switch state {
	case provider.LookSeen:
		return upkeep.AnswerGiven
	case provider.LookRefused:
		return upkeep.AnswerRefused
	case provider.LookLimited:
		return upkeep.AnswerLimited
	case provider.LookUnconnected:
		return upkeep.AnswerUnconnected
	case provider.LookAway:
	}
	return upkeep.AnswerAway
}

// pollObserver shows Prometheus what is polled. Servers are few; tenants have no
// label. Every replica watches all, so that the gauge is not to be added up.
type pollObserver struct {
	asked   *prometheus.CounterVec
	objects *prometheus.CounterVec
	told    *prometheus.CounterVec
	failed  *prometheus.CounterVec
	watched prometheus.Gauge
}

// watchPolls registers an observer for as long as the kit is open.
func (k *kit) watchPolls() (*pollObserver, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "feira_polls_" + name, Help: help}, labels)
	}
	o := &pollObserver{
		asked:   counter("requests_total", "Requests to providers that send no webhooks, by what became of them.", "server", "state"),
		objects: counter("objects_total", "Objects that such requests asked for.", "server"),
		told:    counter("changes_total", "Changes that were found and posted as events.", "server"),
		failed:  counter("failures_total", "Times that what was found or due could not be written down.", "server"),
		watched: prometheus.NewGauge(prometheus.GaugeOpts{Name: "feira_polls_watched", Help: "Objects that are polled, the same in every replica."}),
	}
	return o, k.register("polls", o.asked, o.objects, o.told, o.failed, o.watched)
}

// Asked implements [upkeep.PollObserver].
func (o *pollObserver) Asked(server string, state upkeep.AnswerState, objects int) {
	o.asked.WithLabelValues(server, string(state)).Inc()
	o.objects.WithLabelValues(server).Add(float64(objects))
}

// Told implements [upkeep.PollObserver].
func (o *pollObserver) Told(server string, news int) {
	o.told.WithLabelValues(server).Add(float64(news))
}

// Failed implements [upkeep.PollObserver].
func (o *pollObserver) Failed(server string) { o.failed.WithLabelValues(server).Inc() }

// Watched implements [upkeep.PollObserver].
func (o *pollObserver) Watched(objects int) { o.watched.Set(float64(objects)) }

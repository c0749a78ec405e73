package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/workers/triggers"
)

// tellings shows Prometheus how triggers are told. Only the process that tells
// shows what waits, so that the figures of several may be added up. Its labels
// are verdicts and reasons, of which there are a few: tenants, triggers and what
// endpoints answer are too many.
type tellings struct {
	leading[triggers.Figures]

	attempts   *prometheus.CounterVec
	took       prometheus.Histogram
	givenUp    *prometheus.CounterVec
	facts      prometheus.Counter
	deliveries prometheus.Counter
}

func newTellings() *tellings {
	of := func(name, help string, read func(triggers.Figures) float64) gauge[triggers.Figures] {
		return gauge[triggers.Figures]{prometheus.NewDesc("feira_triggers_"+name, help, nil, nil), read}
	}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "feira_triggers_" + name + "_total", Help: help}
	}
	t := &tellings{
		leading: leading[triggers.Figures]{
			leads: prometheus.NewDesc("feira_triggers_leader", "1 while this process tells endpoints, 0 while it stands by.", nil, nil),
			gauges: []gauge[triggers.Figures]{
				of("queued", "Deliveries that wait or are under way.", func(f triggers.Figures) float64 { return float64(f.Queued) }),
				of("inflight", "Deliveries under way.", func(f triggers.Figures) float64 { return float64(f.Inflight) }),
				of("dead_endpoints", "Triggers whose endpoint has failed several times in a row.", func(f triggers.Figures) float64 { return float64(f.Down) }),
				of("oldest_wait_seconds", "How long the oldest delivery has been waiting.", func(f triggers.Figures) float64 { return f.OldestWait.Seconds() }),
			},
		},
		attempts: prometheus.NewCounterVec(counter("attempts", "Attempts to tell an endpoint, by what came of them."), []string{"verdict"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "feira_triggers_attempt_seconds", Help: "How long endpoints took to answer, or not to.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}),
		givenUp:    prometheus.NewCounterVec(counter("given_up", "Deliveries that became dead letters, by why."), []string{"reason"}),
		facts:      prometheus.NewCounter(counter("facts", "Facts of session logs that were looked at.")),
		deliveries: prometheus.NewCounter(counter("deliveries", "Deliveries that were made of them.")),
	}
	t.always = []prometheus.Collector{t.attempts, t.took, t.givenUp, t.facts, t.deliveries}
	for _, verdict := range []events.DeliveryOutcome{events.DeliveryDone, events.DeliveryFailed, events.DeliveryDead} {
		t.attempts.WithLabelValues(string(verdict)) // a rate needs its zero
	}
	return t
}

// watchTriggers registers an observer for as long as the kit is open.
func (k *kit) watchTriggers() (*tellings, error) {
	t := newTellings()
	return t, k.register("triggers", t)
}

// Delivers implements [triggers.Observer].
func (t *tellings) Delivers(yes bool) { t.lead(yes) }

// Attempted implements [triggers.Observer].
func (t *tellings) Attempted(outcome events.DeliveryOutcome, took time.Duration) {
	t.attempts.WithLabelValues(string(outcome)).Inc()
	t.took.Observe(took.Seconds())
}

// GivenUp implements [triggers.Observer].
func (t *tellings) GivenUp(reason string) { t.givenUp.WithLabelValues(reason).Inc() }

// Read implements [triggers.Observer].
func (t *tellings) Read(facts, deliveries int) {
	t.facts.Add(float64(facts))
	t.deliveries.Add(float64(deliveries))
}

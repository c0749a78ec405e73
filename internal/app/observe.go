package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/feira-dev/feira/workers/scheduling"
)

// observer shows Prometheus what the scheduler of this process does. Only a
// leader shows figures of the queue, so that those of several schedulers may be
// added up; and only once its index is built, lest a new leader seem to have
// nothing to do. None has a label: tenants are too many for that.
type observer struct {
	leading[scheduling.Figures]

	granted prometheus.Counter
	refused prometheus.Counter
	waits   prometheus.Histogram
}

func newObserver() *observer {
	of := func(name, help string, read func(scheduling.Figures) float64) gauge[scheduling.Figures] {
		return gauge[scheduling.Figures]{prometheus.NewDesc("feira_queue_"+name, help, nil, nil), read}
	}
	o := &observer{
		leading: leading[scheduling.Figures]{
			leads: prometheus.NewDesc("feira_scheduler_leader", "1 while this scheduler leads, 0 while it stands by.", nil, nil),
			gauges: []gauge[scheduling.Figures]{
				of("queued", "Requests that wait.", func(f scheduling.Figures) float64 { return float64(f.Queued) }),
				of("running", "Runs that are granted and not over.", func(f scheduling.Figures) float64 { return float64(f.Running) }),
				of("slots", "Slots of the live workers.", func(f scheduling.Figures) float64 { return float64(f.Slots) }),
				of("workers", "Live workers.", func(f scheduling.Figures) float64 { return float64(f.Workers) }),
				of("busy_tenants", "Tenants with requests queued or running.", func(f scheduling.Figures) float64 { return float64(f.Busy) }),
				of("oldest_wait_seconds", "How long the oldest queued request has been waiting.",
					func(f scheduling.Figures) float64 { return f.OldestWait.Seconds() }),
				of("desired_workers", "Workers with slots enough for what runs and for what would start at once if slots were free.",
					func(f scheduling.Figures) float64 { return float64(f.DesiredWorkers) }),
			},
		},
		granted: prometheus.NewCounter(prometheus.CounterOpts{Name: "feira_scheduler_grants_total", Help: "Grants that the broker stored."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "feira_scheduler_grant_refusals_total", Help: "Grants that the broker refused or did not answer.",
		}),
		waits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "feira_scheduler_grant_wait_seconds", Help: "From a request's receipt by the broker to its grant.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
		}),
	}
	o.always = []prometheus.Collector{o.granted, o.refused, o.waits}
	return o
}

// watch registers an observer for as long as the kit is open.
func (k *kit) watch() (*observer, error) {
	o := newObserver()
	return o, k.register("the scheduler", o)
}

// Leads implements [scheduling.Observer].
func (o *observer) Leads(yes bool) { o.lead(yes) }

// Granted implements [scheduling.Observer].
func (o *observer) Granted(waited time.Duration, err error) {
	if err != nil {
		o.refused.Inc()
		return
	}
	o.waits.Observe(waited.Seconds())
	o.granted.Inc()
}

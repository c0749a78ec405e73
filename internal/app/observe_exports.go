package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/feira-dev/feira/workers/exporting"
)

// exportObserver shows Prometheus how exports go, by the name of the export: of
// those an operator has a handful. Only whoever tells a system shows how far
// behind it is, so that the figures of replicas may be added up.
type exportObserver struct {
	leads, behind, waiting, told *prometheus.GaugeVec
	items, failures              *prometheus.CounterVec
	now                          func() time.Time
}

// watchExports registers an observer for as long as the kit is open.
func (k *kit) watchExports() (*exportObserver, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "feira_export_" + name, Help: help}, []string{"export"})
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "feira_export_" + name, Help: help}, []string{"export"})
	}
	o := &exportObserver{
		leads:    gauge("leader", "1 while this exporter tells the system, 0 while it stands by."),
		behind:   gauge("behind", "Numbers of the ledger that the system has not been told of."),
		waiting:  gauge("waiting_sums", "Sums of which the system cannot be told yet."),
		told:     gauge("told_timestamp_seconds", "When the system was last told of everything."),
		items:    counter("items_total", "Items that the system took."),
		failures: counter("failures_total", "Rounds after which the system had not been told of everything."),
		now:      k.now,
	}
	return o, k.register("the exporter", o.leads, o.behind, o.waiting, o.told, o.items, o.failures)
}

// Leads implements [exporting.Observer].
func (o *exportObserver) Leads(destination string, yes bool) {
	if yes {
		o.leads.WithLabelValues(destination).Set(1)
		return
	}
	o.leads.WithLabelValues(destination).Set(0)
	for _, figure := range []*prometheus.GaugeVec{o.behind, o.waiting} {
		figure.DeleteLabelValues(destination)
	}
}

// Told implements [exporting.Observer].
func (o *exportObserver) Told(destination string, told exporting.Told, err error) {
	o.items.WithLabelValues(destination).Add(float64(told.Items))
	o.behind.WithLabelValues(destination).Set(float64(told.Behind))
	o.waiting.WithLabelValues(destination).Set(float64(told.Waiting))
	if err != nil {
		o.failures.WithLabelValues(destination).Inc()
		return
	}
	o.failures.WithLabelValues(destination).Add(0) // shown from the first round on
	o.told.WithLabelValues(destination).Set(float64(o.now().Unix()))
}

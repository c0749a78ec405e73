package app

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// leading shows Prometheus whether this process leads and, while it does and has
// any, its figures of type F; and whatever it always counts.
type leading[F any] struct {
	leads  *prometheus.Desc
	gauges []gauge[F]
	always []prometheus.Collector

	mu      sync.Mutex // of what is below: scrapes come from other goroutines
	yes     bool
	figures *F // nil: there is nothing to show
}

// gauge is one of the figures.
type gauge[F any] struct {
	desc *prometheus.Desc
	read func(F) float64
}

// lead begins or ends a leadership, which has no figures yet.
func (l *leading[F]) lead(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.yes, l.figures = yes, nil
}

// Stands takes in how things stand.
func (l *leading[F]) Stands(figures F) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.figures = &figures
}

// Describe implements [prometheus.Collector].
func (l *leading[F]) Describe(to chan<- *prometheus.Desc) {
	to <- l.leads
	for _, g := range l.gauges {
		to <- g.desc
	}
	for _, one := range l.always {
		one.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (l *leading[F]) Collect(to chan<- prometheus.Metric) {
	l.mu.Lock()
	yes, figures := l.yes, l.figures
	l.mu.Unlock()
	leads := 0.0
	if yes {
		leads = 1
	}
	to <- prometheus.MustNewConstMetric(l.leads, prometheus.GaugeValue, leads)
	if figures != nil {
		for _, g := range l.gauges {
			to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.read(*figures))
		}
	}
	for _, one := range l.always {
		one.Collect(to)
	}
}

// register shows collectors for as long as the kit is open.
func (k *kit) register(whose string, collectors ...prometheus.Collector) error {
	registry := k.telemetry.Registry()
	for _, one := range collectors {
		if err := registry.Register(one); err != nil {
			return fmt.Errorf("registering the metrics of %s: %w", whose, err)
		}
		k.closers = append(k.closers, func() { registry.Unregister(one) })
	}
	return nil
}

package config

import (
	"errors"
	"time"
)

// Scheduler is the role that grants runs.
type Scheduler struct {
	// Reconcile is how often grants are compared with the broker's. Defaults to 1 s.
	Reconcile time.Duration `name:"reconcile" help:"How often grants are compared with the broker's." env:"FEIRA_SCHEDULER_RECONCILE" default:"1s"`
}

// WithDefaults fills what was left out.
func (s Scheduler) WithDefaults() Scheduler {
	fill(&s.Reconcile, time.Second)
	return s
}

func (s Scheduler) faults() faults {
	var faults faults
	faults.add("reconcile", checkDuration(s.Reconcile, 10*time.Millisecond, time.Minute))
	return faults
}

// Worker is the role that runs agents.
type Worker struct {
	// ID tells this worker from the others. Empty: one is made up at each start.
	ID string `name:"id" help:"Name of this worker among the others; made up when empty." env:"FEIRA_WORKER_ID"`
	// Slots is how many runs go on at one time. Defaults to 64.
	Slots int `name:"slots" help:"Runs that go on at one time." env:"FEIRA_WORKER_SLOTS" default:"64"`
	// SoftStop is how long running work may go on after a stop, before it is
	// cancelled and given back. Defaults to 20 s.
	SoftStop time.Duration `name:"soft-stop" help:"How long runs may go on after a stop." env:"FEIRA_WORKER_SOFT_STOP" default:"20s"`
}

// WithDefaults fills what was left out.
func (w Worker) WithDefaults() Worker {
	fill(&w.Slots, 64)
	fill(&w.SoftStop, 20*time.Second)
	return w
}

func (w Worker) faults() faults {
	var faults faults
	faults.add("id", checkToken(w.ID))
	faults.add("slots", checkRange(int64(w.Slots), 1, 100_000))
	faults.add("soft_stop", checkDuration(w.SoftStop, time.Second, time.Hour))
	return faults
}

// checkToken holds a worker's name to what one token of a subject may be.
func checkToken(text string) error {
	const most = 64
	if len(text) > most {
		return errors.New("is longer than 64 bytes")
	}
	for _, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && c != '_' && c != '-' {
			return errors.New(`has other characters than letters, digits, "_" and "-"`)
		}
	}
	return nil
}

package config

import "time"

// Triggers is the role that tells tenants' endpoints what their agents did.
type Triggers struct {
	// Slots is how many endpoints are told at one time. Defaults to 256.
	Slots int `name:"slots" help:"Endpoints that are told at one time." env:"FEIRA_TRIGGERS_SLOTS" default:"256"`
	// SoftStop is how long what is under way may go on after a stop. Defaults to 5 s.
	SoftStop time.Duration `name:"soft-stop" help:"How long deliveries may go on after a stop." env:"FEIRA_TRIGGERS_SOFT_STOP" default:"5s"`
	// Loopback lets triggers have endpoints on this machine, over http and on any
	// port: for development. Otherwise they are public, over https.
	Loopback bool `name:"loopback" help:"Let triggers tell endpoints on this machine over http, for development." env:"FEIRA_TRIGGERS_LOOPBACK"`
}

// WithDefaults fills what was left out.
func (t Triggers) WithDefaults() Triggers {
	fill(&t.Slots, 256)
	fill(&t.SoftStop, 5*time.Second)
	return t
}

func (t Triggers) faults() faults {
	var faults faults
	faults.add("slots", checkRange(int64(t.Slots), 1, 10_000))
	faults.add("soft_stop", checkDuration(t.SoftStop, time.Millisecond, time.Minute))
	return faults
}

package config

import (
	"fmt"
	"time"
)

// Upkeep is the role that does what is due by the clock.
type Upkeep struct {
	// Every is the pause between two looks for tokens to renew. Defaults to 1 h.
	Every time.Duration `name:"every" help:"Pause between two looks for tokens to renew." env:"FEIRA_UPKEEP_EVERY" default:"1h"`
	// Pace is the pause after each renewal. Defaults to 1 s.
	Pace time.Duration `name:"pace" help:"Pause after each renewal." env:"FEIRA_UPKEEP_PACE" default:"1s"`
	// Polls is whether providers that send no webhooks are asked for what sessions
	// made there: on or off. Defaults to on.
	Polls string `name:"polls" help:"Ask providers that send no webhooks for what sessions made there: on or off." env:"FEIRA_UPKEEP_POLLS" default:"on"`
	// PollSlots is how many tenants are asked for at one time at each provider.
	// Defaults to 16.
	PollSlots int `name:"poll-slots" help:"Tenants that are asked for at one time at each provider." env:"FEIRA_UPKEEP_POLL_SLOTS" default:"16"`
	// PollFirst is the first pause before an object is asked for, and the shortest.
	// Defaults to that of its kind: 10 min for a parcel, 30 s for a document.
	PollFirst time.Duration `name:"poll-first" help:"First and shortest pause before an object is asked for; by its kind when 0." env:"FEIRA_UPKEEP_POLL_FIRST" default:"0s"`
	// Selfcheck is the pause between two looks at the webhooks of connections.
	// Each look opens credentials, which the audit tells. Defaults to 15 min.
	Selfcheck time.Duration `name:"selfcheck" help:"Pause between two looks at the webhooks of connections." env:"FEIRA_UPKEEP_SELFCHECK" default:"15m"`
	// Resume has a provider go on that has stopped telling of things.
	Resume bool `name:"resume" help:"Have a provider go on that has stopped sending webhooks." env:"FEIRA_UPKEEP_RESUME"`
}

// Whether there are polls.
const (
	PollsOn  = "on"
	PollsOff = "off"
)

// WithDefaults fills what was left out.
func (u Upkeep) WithDefaults() Upkeep {
	fill(&u.Every, time.Hour)
	fill(&u.Pace, time.Second)
	fill(&u.Polls, PollsOn)
	fill(&u.PollSlots, 16)
	fill(&u.Selfcheck, 15*time.Minute)
	return u
}

func (u Upkeep) faults() faults {
	var faults faults
	faults.add("every", checkDuration(u.Every, time.Second, 24*time.Hour))
	faults.add("pace", checkDuration(u.Pace, time.Millisecond, time.Minute))
	if u.Polls != PollsOn && u.Polls != PollsOff {
		faults.add("polls", fmt.Errorf("is %q, want on or off", u.Polls))
	}
	faults.add("poll_slots", checkRange(int64(u.PollSlots), 1, 1000))
	if u.PollFirst != 0 {
		faults.add("poll_first", checkDuration(u.PollFirst, time.Millisecond, 24*time.Hour))
	}
	faults.add("selfcheck", checkDuration(u.Selfcheck, 10*time.Millisecond, 24*time.Hour))
	return faults
}

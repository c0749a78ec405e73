package bench

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where to measure, and how much.
type Config struct {
	// URL, User, Password and CredsFile are of an outer broker that nobody
	// else uses. An empty URL means one embedded in this process for each
	// bench, in a temporary folder, which does not sync every write.
	URL       string
	User      string
	Password  string
	CredsFile string
	// Requests is how many requests throughput and scale serve for one figure.
	// Defaults to 60 000.
	Requests int
	// Turns is how many empty turns are run. Defaults to 20 000.
	Turns int
	// Rounds is how often throughput and turns are measured for their medians.
	// Defaults to 3.
	Rounds int
	// Slots is how many runs may be going at one time where the bench does not
	// say. Defaults to 128.
	Slots int
	// Flood is how many jobs the noisy tenant has. Defaults to 20 000.
	Flood int
	// Window is how long latency, fairness and the quiet tenant alone are
	// measured; beside the flood it is at least twice as long, in several floods.
	// Defaults to 6 s.
	Window time.Duration
	// Tenants and Queued are the size of the scale. Default to 20 000 tenants
	// with 200 000 requests.
	Tenants int
	Queued  int
	// Rows is how many usage rows metering books for one figure. Defaults to
	// 100 000.
	Rows int
	// Waiting is how many clients wait at the gateway at one time. Defaults to
	// 10 000.
	Waiting int
	// Crowd is the program, with its arguments, that runs [Crowd] in a process of
	// its own. Defaults to none: the waiting clients are then in this process, and
	// counted with what they wait for.
	Crowd []string
	// Patience bounds each wait for something to be served. Defaults to 2 min.
	Patience time.Duration
	// Logger hears of what goes wrong, and of all else where it wants to hear
	// debug lines. Required.
	Logger *slog.Logger
	// Progress hears what is being done. Defaults to nobody.
	Progress func(text string)
}

func (c Config) withDefaults() Config {
	c.Requests = cmp.Or(c.Requests, 60_000)
	c.Turns = cmp.Or(c.Turns, 20_000)
	c.Rounds = cmp.Or(c.Rounds, 3)
	c.Slots = cmp.Or(c.Slots, 128)
	c.Flood = cmp.Or(c.Flood, 20_000)
	c.Window = cmp.Or(c.Window, 6*time.Second)
	c.Tenants = cmp.Or(c.Tenants, 20_000)
	c.Queued = cmp.Or(c.Queued, 200_000)
	c.Rows = cmp.Or(c.Rows, 100_000)
	c.Waiting = cmp.Or(c.Waiting, 10_000)
	c.Patience = cmp.Or(c.Patience, 2*time.Minute)
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	for _, size := range []struct {
		name  string
		value int
	}{
		{"requests", c.Requests},
		{"turns", c.Turns},
		{"rounds", c.Rounds},
		{"slots", c.Slots},
		{"flood", c.Flood},
		{"tenants", c.Tenants},
		{"queued", c.Queued},
		{"rows", c.Rows},
		{"waiting", c.Waiting},
		{"window", int(c.Window)},
		{"patience", int(c.Patience)},
	} {
		if size.value < 1 {
			faults = append(faults, fmt.Errorf("%w: %s is %d", ErrConfig, size.name, size.value))
		}
	}
	if c.Queued < c.Tenants {
		faults = append(faults, fmt.Errorf("%w: queued is %d, less than tenants (%d)", ErrConfig, c.Queued, c.Tenants))
	}
	if c.Logger == nil {
		faults = append(faults, fmt.Errorf("%w: logger is missing", ErrConfig))
	}
	return errors.Join(faults...)
}

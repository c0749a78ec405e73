package triggers

import (
	"context"

	"github.com/feira-dev/feira/internal/lifecycle"
)

// Courier makes the deliveries while it holds the lease. It is a
// [lifecycle.Part]; one that stands by is as good as started.
//
// A soft stop begins nothing more, lets what is under way end, and gives the
// lease back, so that a standby goes on at once. What was cut off is told again
// under the same id.
type Courier struct {
	*lifecycle.Runner
}

// NewCourier returns an idle courier.
func NewCourier(config Config) (*Courier, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	serving := term{
		what: "delivering", id: config.ID, lease: config.Lease, retry: config.Retry, within: config.Timeout, logger: config.Logger,
		serve: func(taking, working context.Context, _ Tenure) error {
			config.Observer.Delivers(true)
			defer config.Observer.Delivers(false)
			return newRound(config).run(taking, working)
		},
	}
	return &Courier{Runner: lifecycle.NewRunner("triggers", serving.run)}, nil
}

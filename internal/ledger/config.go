package ledger

import (
	"errors"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// Config is how a ledger is opened.
type Config struct {
	// Path is the SQLite file. It and its folder are made when missing,
	// readable by the owner alone.
	Path string
	// Zone cuts rows into days. It is fixed when the ledger is made; another
	// one later is [ErrZoneChanged]. Defaults to [usage.DefaultZone].
	Zone *time.Location
	// Logger hears of migrations. Defaults to a silent one.
	Logger *slog.Logger
	// Now is the clock of recorded_at. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Zone == nil {
		zone, err := usage.Zone("")
		if err != nil {
			return c, err
		}
		c.Zone = zone
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	if c.Path == "" {
		return errors.New("ledger: path is empty")
	}
	return nil
}

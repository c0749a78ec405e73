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
	// readable by the owner alone. Exactly one of Path and DSN is set.
	Path string
	// DSN is the address of a Postgres database, see [IsPostgres]. Its role owns
	// the schema, and is none that row-level security does not bind.
	DSN string
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
	switch {
	case c.Path == "" && c.DSN == "":
		return errors.New("ledger: path and dsn are empty")
	case c.Path != "" && c.DSN != "":
		return errors.New("ledger: path and dsn exclude each other")
	case c.DSN != "" && !IsPostgres(c.DSN):
		return errors.New("ledger: dsn has another scheme than postgres, postgresql")
	}
	return nil
}

package natskv

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// DefaultName is the connection's name where none is given.
const DefaultName = "feira-natskv"

// Config says how to reach NATS.
type Config struct {
	// URL is one "nats://host:port", or several with commas between. It holds
	// no credentials, so that it may be logged.
	URL string
	// Name tells connections apart in the server's own listings. Defaults to
	// "feira-natskv".
	Name string
	// User and Password prove who connects. Both empty means that nobody says.
	User     string
	Password string
	// CredsFile is a file with a user's JWT and key, instead of User and Password.
	CredsFile string
	// Logger hears of lost connections and entries that cannot be read.
	// Defaults to nobody.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	fault := func(text string) { faults = append(faults, fmt.Errorf("%w: %s", ErrConfig, text)) }
	for part := range strings.SplitSeq(c.URL, ",") {
		// The parser's own error would show the URL, credentials and all.
		parsed, err := url.Parse(strings.TrimSpace(part))
		switch {
		case c.URL == "":
			fault("url is empty")
		case err != nil || parsed.Host == "":
			fault("url is not nats://host:port")
		case parsed.User != nil:
			fault("url holds credentials; they belong in user and password, or in a credentials file")
		}
	}
	if c.User == "" && c.Password != "" {
		fault("password has no user")
	}
	if c.CredsFile != "" && c.User != "" {
		fault("creds_file and user exclude each other")
	}
	return errors.Join(faults...)
}

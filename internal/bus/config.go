package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Config says how to reach the broker.
type Config struct {
	// URL is one address of the broker or several, separated by commas. A user
	// and password in it count as User and Password. Defaults to the local
	// host, port 4222.
	URL string
	// Name is what the broker calls the connection. Defaults to "feira".
	Name string
	// User and Password are the credentials, when the broker wants any.
	User     string
	Password string
	// CredsFile holds credentials of the broker's decentralised kind. It
	// excludes User.
	CredsFile string
	// InboxPrefix is where answers come to, for credentials that may not
	// listen on the common one. Defaults to the client's "_INBOX".
	InboxPrefix string
	// Timeout is how long to wait for an answer where the context says
	// nothing. Defaults to 5 s.
	Timeout time.Duration
	// Clock is the time of day. Defaults to time.Now.
	Clock func() time.Time
	// Logger hears of lost connections and unreadable messages. Required.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.URL == "" {
		c.URL = nats.DefaultURL
	}
	if c.Name == "" {
		c.Name = "feira"
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	fault := func(text string) { faults = append(faults, fmt.Errorf("%w: %s", ErrInvalidConfig, text)) }
	if _, err := c.withoutSecrets(); err != nil {
		faults = append(faults, err)
	}
	if c.CredsFile != "" && c.User != "" {
		fault("creds_file and user are both set")
	}
	if c.Password != "" && c.User == "" {
		fault("password is set without user")
	}
	if c.Timeout < 0 {
		fault("timeout is negative")
	}
	if c.Logger == nil {
		fault("logger is missing")
	}
	return errors.Join(faults...)
}

// withoutSecrets moves credentials out of the address, so that whatever repeats
// an address can repeat this one. The fault does not repeat what it could not
// read.
func (c Config) withoutSecrets() (Config, error) {
	addresses := strings.Split(c.URL, ",")
	for i, address := range addresses {
		address = strings.TrimSpace(address)
		if address != "" && !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		parsed, err := url.Parse(address)
		if err != nil {
			return c, fmt.Errorf("%w: url: address %d cannot be read", ErrInvalidConfig, i+1)
		}
		if parsed.User != nil {
			if c.User == "" {
				c.User = parsed.User.Username()
				c.Password, _ = parsed.User.Password()
			}
			parsed.User = nil
		}
		addresses[i] = parsed.String()
	}
	c.URL = strings.Join(addresses, ",")
	return c, nil
}

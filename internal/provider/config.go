package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// Defaults of [Config].
const (
	DefaultTries     = 3
	DefaultRetryWait = 500 * time.Millisecond
)

// Config says how a [Client] works.
type Config struct {
	// Manifests are the servers. Defaults to [Embedded].
	Manifests []Manifest
	// Credentials opens the tenants' credentials. Required.
	Credentials Credentials
	// Renewals stores the credentials of servers whose tokens are renewed.
	// Defaults to none: then they are used until they end.
	Renewals Renewals
	// Registrations opens the operator's own applications at servers. Defaults to
	// none: then each credential brings its own.
	Registrations Registrations
	// BaseURLs replace a server's base URL, shared path included, in both
	// environments: for the sandbox. Such a host may be plain HTTP, on any port,
	// on loopback or in a private network; no other host may.
	BaseURLs map[string]string
	// Resolver looks up the providers' hosts. Defaults to the system's.
	Resolver *net.Resolver
	// UserAgent replaces that of the manifests, which some providers want to
	// tell the application and a contact: "Loja (dev@loja.example)".
	UserAgent string
	// Timeout bounds one call, all tries and waits together, and is the most
	// that a manifest may give to one try. Defaults to 30 s.
	Timeout time.Duration
	// Tries is how often a call is sent at most. Defaults to 3.
	Tries int
	// RetryWait is the first wait between tries, which grows from there.
	// Defaults to 500 ms.
	RetryWait time.Duration
	// Concurrency is how many tries of one tenant may be under way at one server
	// in one environment. Defaults to 16.
	Concurrency int
	// QueueWait is how long a try waits for its turn. Defaults to 5 s.
	QueueWait time.Duration
	// BreakerFailures is how many tries of a tenant at a server have to fail in a
	// row for its calls to be kept back: no answer, or one of a broken server. A
	// limit that was reached does not count. Defaults to 10.
	BreakerFailures int
	// BreakerOpen is how long they are kept back before one is let through, to
	// see. Defaults to 30 s.
	BreakerOpen time.Duration
	// MaxResponse is how much of an answer is read, in bytes. Defaults to 1 MiB.
	MaxResponse int64
	// MaxOutput is how much of an answer is given back, in bytes. Defaults to 64 KiB.
	MaxOutput int
	// Logger hears of every try. Defaults to none.
	Logger *slog.Logger
	// Now is the clock of tokens. Defaults to [time.Now].
	Now func() time.Time
	// Wait sleeps between tries, or returns when ctx ends. Defaults to a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

func (c Config) withDefaults() (Config, error) {
	if c.Manifests == nil {
		manifests, err := Embedded()
		if err != nil {
			return c, err
		}
		c.Manifests = manifests
	}
	orDefault(&c.Timeout, egress.DefaultTimeout)
	orDefault(&c.Tries, DefaultTries)
	orDefault(&c.RetryWait, DefaultRetryWait)
	orDefault(&c.Concurrency, egress.DefaultConcurrency)
	orDefault(&c.QueueWait, egress.DefaultQueueWait)
	orDefault(&c.BreakerFailures, egress.DefaultBreakerFailures)
	orDefault(&c.BreakerOpen, egress.DefaultBreakerOpen)
	orDefault(&c.MaxResponse, egress.DefaultMaxResponse)
	orDefault(&c.MaxOutput, egress.DefaultMaxOutput)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = sleep
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("provider: "+format, args...)) }
	if c.Credentials == nil {
		fault("Credentials is missing")
	}
	if c.Timeout < 0 || c.Tries < 0 || c.RetryWait < 0 || c.MaxResponse < 0 || c.MaxOutput < 0 {
		fault("Timeout, Tries, RetryWait, MaxResponse or MaxOutput is negative")
	}
	if c.Concurrency < 0 || c.QueueWait < 0 || c.BreakerFailures < 0 || c.BreakerOpen < 0 {
		fault("Concurrency, QueueWait, BreakerFailures or BreakerOpen is negative")
	}
	if hostile.HasControl(c.UserAgent) {
		fault("UserAgent holds a control character")
	}
	for server, base := range c.BaseURLs {
		if err := checkBaseURL(base); err != nil {
			fault("BaseURLs[%s] %w", server, err)
		}
	}
	return errors.Join(faults...)
}

func checkBaseURL(base string) error {
	parsed, err := url.Parse(base)
	switch {
	case err != nil:
		return errors.New("is no URL")
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Host == "":
		return errors.New("has to begin with http:// or https:// and a host")
	case parsed.User != nil, parsed.RawQuery != "", parsed.Fragment != "":
		return errors.New("may have no user, query or fragment")
	default:
		return nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

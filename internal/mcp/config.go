package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
)

// Defaults of [Config].
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultListTTL        = 5 * time.Minute
	DefaultIdle           = 2 * time.Minute
	DefaultSessions       = 256
	DefaultTenantSessions = 8
	DefaultPath           = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// TokenField is the one field of a credential for an MCP server.
const TokenField = "token"

// Credential tells the fields of a credential.
type Credential interface {
	// Reveal tells a field's value; false when there is no such field.
	Reveal(field string) (string, bool)
}

// Credentials opens the tenants' credentials. Implementations are safe for
// concurrent use, wrap [ErrNoCredential] when there is none, and put no secret
// into an error.
type Credentials interface {
	Open(ctx context.Context, tenant events.TenantID, server string, env events.Environment) (Credential, error)
}

// Config says how a [Client] works.
type Config struct {
	// Credentials opens the tenants' credentials. Required.
	Credentials Credentials
	// PrivateOrigins may be plain HTTP, on any port, on loopback or in a private
	// network: "http://10.1.2.3:8080". Defaults to none.
	PrivateOrigins []string
	// Commands are those that may be started: an executable's whole path with any
	// arguments, or with those that follow it here and any after them. Defaults
	// to none.
	Commands []string
	// Path is the PATH of commands. Defaults to the system's folders.
	Path string
	// Version is what servers are told of Feira's. Defaults to "dev".
	Version string
	// Resolver looks up the servers' hosts. Defaults to the system's.
	Resolver *net.Resolver
	// Timeout bounds one call. Defaults to 30 s.
	Timeout time.Duration
	// ConnectTimeout bounds the opening of a session, and the listing of tools.
	// Defaults to 10 s.
	ConnectTimeout time.Duration
	// ListTTL is how long a list of tools is taken to be true. Defaults to 5 min.
	ListTTL time.Duration
	// Idle is how long a session stays open that nobody uses. Defaults to 2 min.
	Idle time.Duration
	// Sessions and TenantSessions are how many sessions may be open, in all and
	// of one tenant. Default to 256 and 8.
	Sessions       int
	TenantSessions int
	// Concurrency is how many calls of one tenant may be under way at one server
	// in one environment. Defaults to 16.
	Concurrency int
	// QueueWait is how long a call waits for its turn. Defaults to 5 s.
	QueueWait time.Duration
	// BreakerFailures is how many calls of a tenant to a server have to fail in a
	// row, by no answer or that of a broken server, for its calls to be kept
	// back. Defaults to 10.
	BreakerFailures int
	// BreakerOpen is how long they are kept back before one is let through.
	// Defaults to 30 s.
	BreakerOpen time.Duration
	// MaxResponse is how much of an answer is read, in bytes. Defaults to 1 MiB.
	MaxResponse int
	// MaxOutput is how much of an answer is given back, in bytes. Defaults to 64 KiB.
	MaxOutput int
	// Logger hears of calls and of tools that are left out. Defaults to none.
	Logger *slog.Logger
	// Now is the clock of lists. Defaults to [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	orDefault(&c.Path, DefaultPath)
	orDefault(&c.Version, "dev")
	orDefault(&c.Timeout, egress.DefaultTimeout)
	orDefault(&c.ConnectTimeout, DefaultConnectTimeout)
	orDefault(&c.ListTTL, DefaultListTTL)
	orDefault(&c.Idle, DefaultIdle)
	orDefault(&c.Sessions, DefaultSessions)
	orDefault(&c.TenantSessions, DefaultTenantSessions)
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
	return c
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
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("mcp: "+format, args...)) }
	if c.Credentials == nil {
		fault("Credentials is missing")
	}
	if c.Timeout < 0 || c.ConnectTimeout < 0 || c.ListTTL < 0 || c.Idle < 0 || c.QueueWait < 0 || c.BreakerOpen < 0 {
		fault("Timeout, ConnectTimeout, ListTTL, Idle, QueueWait or BreakerOpen is negative")
	}
	if c.Sessions < 0 || c.TenantSessions < 0 || c.Concurrency < 0 || c.BreakerFailures < 0 || c.MaxResponse < 0 || c.MaxOutput < 0 {
		fault("Sessions, TenantSessions, Concurrency, BreakerFailures, MaxResponse or MaxOutput is negative")
	}
	for i, text := range c.PrivateOrigins {
		if _, err := parseOrigin(text); err != nil {
			fault("PrivateOrigins[%d] %w", i, err)
		}
	}
	for i, text := range c.Commands {
		if words := strings.Fields(text); len(words) == 0 || !strings.HasPrefix(words[0], "/") {
			fault("Commands[%d] has to begin with the whole path of an executable", i)
		}
	}
	return errors.Join(faults...)
}

// parseOrigin reads an origin and writes it as the gate does.
func parseOrigin(text string) (string, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return "", errors.New("is no URL")
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		return "", errors.New("has to begin with http:// or https:// and a host")
	case parsed.User != nil, strings.Trim(parsed.Path, "/") != "", parsed.RawQuery != "", parsed.Fragment != "":
		return "", errors.New("may have nothing after the host and port")
	default:
		return egress.Origin(parsed), nil
	}
}

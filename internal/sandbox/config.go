package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
)

// Config makes a sandbox.
type Config struct {
	// Addr is the loopback address to listen on. Defaults to "127.0.0.1:0",
	// a free port.
	Addr string
	// Seed makes ids and credentials. Defaults to "feira".
	Seed string
	// Accounts are there from the start, by server; [Sandbox.Open] adds more.
	Accounts map[string][]Account
	// ModelKey is the only key that the model takes. Empty takes any.
	ModelKey string
	// ModelLatency is how long the model thinks before it answers. Defaults to
	// no time.
	ModelLatency time.Duration
	// ModelChunkDelay is the pause between two chunks of a stream. Defaults to
	// no time.
	ModelChunkDelay time.Duration
	// ModelContext is the longest conversation that the model takes, in
	// tokens. Defaults to 128 000.
	ModelContext int64
	// WebhookPause is how long a webhook waits that was not taken, before it is
	// sent again; further waits are longer. Defaults to 50 ms.
	WebhookPause time.Duration
	// Observe, when not nil, is told of every request that reaches a provider,
	// with what the provider answered, whatever a fault made of that after. It
	// is called side by side, before the answer leaves.
	Observe func(Exchange)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Logger hears of what the server cannot answer. Defaults to silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Seed == "" {
		c.Seed = "feira"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if !loopback(c.Addr) {
		fault("addr is %q, want a loopback address and a port", c.Addr)
	}
	for server, accounts := range c.Accounts {
		if !slices.Contains(Servers(), server) {
			fault("accounts: there is no server %q", server)
		}
		for i, account := range accounts {
			if account.Tenant == "" {
				fault("accounts[%q][%d]: tenant is empty", server, i)
			}
		}
	}
	if c.ModelLatency < 0 || c.ModelChunkDelay < 0 {
		fault("model_latency or model_chunk_delay is negative")
	}
	if c.WebhookPause < 0 {
		fault("webhook_pause is negative")
	}
	if c.ModelContext < 0 {
		fault("model_context is %d, want 0 or more", c.ModelContext)
	}
	return errors.Join(faults...)
}

// loopback reports whether an address with a port is of this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

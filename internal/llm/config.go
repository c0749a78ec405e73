// Package llm asks language models that speak OpenAI's chat completions.
//
// It owns the HTTP side of [agent.Model]: laying a prompt out, retrying what
// may pass, reading the answer whole or as a stream, and telling a refusal
// ([agent.ErrModelRefused]) and an unreadable answer ([agent.ErrModelGarbage])
// from a bad moment, which is any other error.
//
// It promises that a reply is returned only when it is complete, however often
// its stream broke before; that the operator's waits (Retry-After) are kept,
// or handed on as [outcome.RetryAfter] when they exceed the patience of one
// call; that an answer takes a bounded amount of memory; and that the key is
// in the request's header and nowhere else. The end of the context is returned
// as its cause.
//
// Usage is what the operator says, and zero only where it says nothing: it is
// never estimated, since it is billed by.
//
// It does not choose models, count budgets or look into tool arguments.
package llm

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/feira-dev/feira/internal/config"
)

// ErrInvalidConfig occurs when a [Config] cannot be used; the text names the
// field.
var ErrInvalidConfig = errors.New("invalid model configuration")

// Config says which model, and how patient to be with it.
type Config struct {
	// BaseURL is the operator's address, up to and without /chat/completions.
	// Defaults to OpenAI's own.
	BaseURL string
	// Key is sent as a bearer token; empty for servers that want none.
	Key config.Redacted
	// Model is asked for by this name. Required.
	Model string
	// MaxOutputTokens caps replies to prompts that name no cap. Defaults to 0,
	// which leaves it to the model.
	MaxOutputTokens int64
	// Timeout bounds one try, to the last byte of its answer. Defaults to 60 s.
	Timeout time.Duration
	// MaxElapsed bounds all tries together with the waits between them.
	// Defaults to 90 s.
	MaxElapsed time.Duration
	// MaxAnswer is the greatest answer that is read, in bytes. Defaults to 8 MiB.
	MaxAnswer int64
	// Logger hears of tries that are repeated. Defaults to silence.
	Logger *slog.Logger
	// Transport carries requests. Defaults to one of its own.
	Transport http.RoundTripper
	// UserAgent names the program. Defaults to "feira".
	UserAgent string
	// Now tells the time for waits that are named as a date, and for
	// MaxElapsed. Defaults to the system's clock.
	Now func() time.Time
	// NewTimer makes the timer of the waits of one call. Defaults to real ones.
	NewTimer func() backoff.Timer
}

func (c Config) withDefaults() Config {
	if c.BaseURL == "" {
		c.BaseURL = "https://api.openai.com/v1"
	}
	if c.Timeout == 0 {
		c.Timeout = 60 * time.Second
	}
	if c.MaxElapsed == 0 {
		c.MaxElapsed = 90 * time.Second
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 8 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.UserAgent == "" {
		c.UserAgent = "feira"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewTimer == nil {
		c.NewTimer = func() backoff.Timer { return nil } // the library's own
	}
	return c
}

// Validate joins every fault, each naming its field. It quotes no address: one
// that cannot be read may hold a password.
func (c Config) Validate() error {
	var faults []error
	if c.BaseURL != "" {
		address, err := url.Parse(c.BaseURL)
		switch {
		case err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https":
			faults = append(faults, errors.New("base url is no http or https URL"))
		case address.User != nil || address.RawQuery != "" || address.Fragment != "":
			faults = append(faults, errors.New("base url holds a user, a query or a fragment"))
		}
	}
	if c.Model == "" {
		faults = append(faults, errors.New("model is missing"))
	}
	if c.MaxOutputTokens < 0 || c.Timeout < 0 || c.MaxElapsed < 0 || c.MaxAnswer < 0 {
		faults = append(faults, errors.New("a bound is negative"))
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidConfig, errors.Join(faults...))
}

// newTransport suits thousands of calls to one host at one time.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        512,
		MaxIdleConnsPerHost: 512,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

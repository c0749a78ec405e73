package fake

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

// Hook is where an account's webhooks are to go, as its owner sets it on the
// provider's pages.
type Hook struct {
	// URL holds the secret itself where the provider signs nothing.
	URL string
	// Key is what the provider signs with, or sends along.
	Key string
}

// Queue opens a queue of the account's webhooks.
func (c *Call[S]) Queue(at, key string, rules outbox.Rules) *outbox.Queue {
	return c.world.Outbox.Open(outbox.QueueParams{
		Server: c.server, Account: c.Tenant, Address: outbox.AddressOf(c.server, at, key), Rules: rules,
	})
}

// Letter makes one of an event. What cannot be JSON is a fault of the fake's
// own, and is told as null.
func Letter(id, kind string, event any) outbox.Letter {
	body, err := json.Marshal(event)
	if err != nil {
		body = []byte("null")
	}
	return outbox.Letter{ID: id, Kind: kind, Body: body}
}

// Subscribe sets where the webhooks of a tenant's account go.
func (s *Server[S]) Subscribe(tenant string, hook Hook) error {
	address := outbox.AddressOf(s.dialect.Server, hook.URL, hook.Key)
	if !address.Fits() {
		return fmt.Errorf("%w: url: want one with https, or of this machine", ErrHook)
	}
	if err := address.Check(); err != nil {
		return fmt.Errorf("%w: key: %w", ErrHook, err)
	}
	if s.dialect.Subscribe == nil {
		return fmt.Errorf("%w: %s sends no webhooks", ErrHook, s.dialect.Server)
	}
	subscribed := false
	s.visit(&http.Request{}, func(c *Call[S]) bool {
		if subscribed = c.Tenant == tenant; subscribed {
			s.dialect.Subscribe(c, hook)
		}
		return subscribed
	})
	if !subscribed {
		return fmt.Errorf("%w: %s has no account of %s", ErrHook, s.dialect.Server, tenant)
	}
	return nil
}

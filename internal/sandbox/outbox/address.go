package outbox

import (
	"net"
	"net/url"

	"github.com/feira-dev/feira/internal/webhook"
)

// Address is where a queue's letters go, and how they are signed.
type Address struct {
	// URL holds the secret itself where the provider signs nothing.
	URL  string
	Lock webhook.Lock
}

// AddressOf is an address to which a server signs with a key; without one it
// does not sign.
func AddressOf(server, at, key string) Address {
	made := Address{URL: at, Lock: webhook.Lock{Scheme: webhook.SchemeOf(server)}}
	if key != "" {
		made.Lock.Keys = []webhook.Key{{Text: key}}
	}
	return made
}

// Check says by [webhook.ErrKey] when nothing can be signed with a key.
func (a Address) Check() error {
	for _, key := range a.Lock.Keys {
		if err := a.Lock.Scheme.CheckKey(key.Text); err != nil {
			return err
		}
	}
	return nil
}

// Here reports whether the address is of this machine, so that it can be told.
func (a Address) Here() bool {
	at, err := url.Parse(a.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" {
		return false
	}
	ip := net.ParseIP(at.Hostname())
	return at.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Fits reports whether an address may be set: as there, one with TLS; of this
// machine, one without, too.
func (a Address) Fits() bool {
	at, err := url.Parse(a.URL)
	return err == nil && at.Host != "" && (at.Scheme == "https" || a.Here())
}

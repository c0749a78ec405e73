package vault

import (
	"fmt"
	"net/url"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/tink-crypto/tink-go-hcvault/v2/integration/hcvault"
)

const (
	transitTimeout = 5 * time.Second
	transitRetries = 1
)

// TransitConfig says which key of a transit engine is a KEK. What it leaves out
// is taken from the variables of Vault's own tools: VAULT_TOKEN, VAULT_CACERT,
// VAULT_NAMESPACE and the rest.
type TransitConfig struct {
	// URI is hcvault://host:port/mount/keys/name. Required.
	URI string
	// Address overrides https://host:port. Defaults to VAULT_ADDR where that
	// names the URI's host, so that one may be spoken to in clear only by saying
	// so.
	Address string
	// Token proves who asks. Defaults to VAULT_TOKEN.
	Token Secret
}

// TransitKEK is a KEK of the transit engine of HashiCorp Vault (1.9 or later)
// or OpenBao. The key never leaves it; the associated data goes along with each
// request.
func TransitKEK(config TransitConfig) (KEK, error) {
	if err := checkTransit(config.URI); err != nil {
		return KEK{}, err
	}
	address, err := url.Parse(config.URI)
	if err != nil {
		return KEK{}, fmt.Errorf("%w: it is no URL", ErrKEKURI)
	}
	settings := api.DefaultConfig() // reads VAULT_*
	if settings.Error != nil {
		return KEK{}, fmt.Errorf("reading the variables VAULT_*: %w", settings.Error)
	}
	if said, err := url.Parse(settings.Address); err != nil || said.Host != address.Host {
		settings.Address = "https://" + address.Host
	}
	if config.Address != "" {
		settings.Address = config.Address
	}
	settings.Timeout, settings.MaxRetries = transitTimeout, transitRetries
	client, err := api.NewClient(settings)
	if err != nil {
		return KEK{}, fmt.Errorf("making the client of %s: %w", config.URI, err)
	}
	if token := config.Token.Reveal(); token != "" {
		client.SetToken(token)
	}
	key, err := hcvault.NewAEAD(address.EscapedPath(), client.Logical())
	if err != nil {
		return KEK{}, fmt.Errorf("%w: %w", ErrKEKURI, err)
	}
	return KEK{Name: config.URI, Key: remote{key}}, nil
}

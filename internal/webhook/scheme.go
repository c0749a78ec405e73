package webhook

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Scheme is how a sender proves that a webhook is its own.
type Scheme string

// Schemes.
const (
	// SchemeStripe is a timestamped HMAC in Stripe-Signature, several at a time
	// while the provider rotates.
	SchemeStripe Scheme = "stripe"
	// SchemeToken is Asaas's: the key itself in the header asaas-access-token.
	SchemeToken Scheme = "token"
	// SchemeMelhorEnvio is an HMAC of the body in X-ME-Signature, hex or base64.
	SchemeMelhorEnvio Scheme = "melhor-envio"
	// SchemePath is for a provider that signs nothing: the address has a part
	// that only the provider was told, and what it says is asked for again
	// before it counts.
	SchemePath Scheme = "path"
	// SchemeStandard is Standard Webhooks, version v1.
	SchemeStandard Scheme = "standard"
	// SchemeHMAC is an HMAC-SHA256 of the body in a header, hex or base64.
	SchemeHMAC Scheme = "hmac"
)

// Tolerance is how far from now a signed time may be.
const Tolerance = 5 * time.Minute

// DefaultHeader is where [SchemeHMAC] looks for the signature.
const DefaultHeader = "X-Webhook-Signature"

const (
	headerStripe      = "Stripe-Signature"
	headerToken       = "Asaas-Access-Token"
	headerMelhorEnvio = "X-Me-Signature"
	headerID          = "Webhook-Id"
	headerTimestamp   = "Webhook-Timestamp"
	headerSignature   = "Webhook-Signature"

	standardPrefix = "whsec_"
	// A key that is too short can be guessed. Providers choose their own, so this
	// is a bound for ours and for what is plainly wrong.
	minKey = 8
	maxKey = 1024
)

// SchemeOf is the scheme of a server's webhooks. Servers that Feira does not
// know speak Standard Webhooks unless they are said to speak otherwise.
func SchemeOf(server string) Scheme {
	switch server {
	case "stripe":
		return SchemeStripe
	case "asaas":
		return SchemeToken
	case "melhor-envio":
		return SchemeMelhorEnvio
	case "z-api":
		return SchemePath
	default:
		return SchemeStandard
	}
}

// Fits reports whether a server's webhooks may be proven by the scheme: one
// whose way is known has that way alone.
func (s Scheme) Fits(server string) bool {
	if fixed := SchemeOf(server); fixed != SchemeStandard {
		return s == fixed
	}
	return s == SchemeStandard || s == SchemeHMAC || s == SchemePath
}

// Given reports whether the provider chooses the key, so that it has to be told
// to Feira; of others Feira chooses, and tells the provider.
func (s Scheme) Given() bool { return s == SchemeStripe || s == SchemeMelhorEnvio }

// NewKey is a key of the scheme, made of randomness.
func (s Scheme) NewKey(random [32]byte) string {
	switch s {
	case SchemeStandard, SchemeStripe:
		return standardPrefix + base64.StdEncoding.EncodeToString(random[:])
	case SchemeToken, SchemeMelhorEnvio, SchemeHMAC, SchemePath:
		return standardPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	}
	return ""
}

// CheckKey says by [ErrKey] why a text cannot be a key of the scheme, and never
// what it is.
func (s Scheme) CheckKey(key string) error {
	switch {
	case len(key) < minKey || len(key) > maxKey:
		return fmt.Errorf("%w: it has %d bytes, want %d to %d", ErrKey, len(key), minKey, maxKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: it has a character that no header can hold", ErrKey)
	case s == SchemePath && strings.ContainsAny(key, "/?#%."):
		return fmt.Errorf("%w: it has a character that no path can hold", ErrKey)
	case s == SchemeStandard:
		_, err := standardKey(key)
		return err
	}
	return nil
}

// standardKey is the key behind a whsec_ text.
func standardKey(key string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, standardPrefix))
	if err != nil || len(raw) < minKey {
		return nil, fmt.Errorf("%w: want whsec_ and base64", ErrKey)
	}
	return raw, nil
}

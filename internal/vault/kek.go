package vault

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// Schemes of a KEK's URI.
const (
	SchemeFile    = "file"
	SchemeHCVault = "hcvault"
	SchemeAWS     = "aws-kms"
	SchemeGCP     = "gcp-kms"
)

// KEK is a key of the operator that seals the tenants' keysets.
type KEK struct {
	// Name is the URI that it was opened by. It is written beside what the key
	// seals, so that people see which key a copy of the store needs.
	Name string
	// Key does the work. It binds the associated data.
	Key tink.AEADWithContext
}

// OpenKEK opens a KEK by its URI:
//
//	/path, file:///path                         a key in a file, see [FileKEK]
//	hcvault://host:port/transit/keys/NAME       HashiCorp Vault or OpenBao, see [TransitKEK]
//	aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID AWS KMS, with AWS's own variables and files
//	gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K
//	                                            Google Cloud KMS, with its default credentials
//
// A service is asked nothing yet, and proves itself when first used.
func OpenKEK(ctx context.Context, uri string) (KEK, error) {
	if err := CheckKEK(uri); err != nil {
		return KEK{}, err
	}
	scheme, rest := splitKEK(uri)
	switch scheme {
	case SchemeHCVault:
		return TransitKEK(TransitConfig{URI: uri})
	case SchemeAWS:
		return awsKEK(ctx, uri, rest)
	case SchemeGCP:
		return gcpKEK(ctx, uri)
	}
	key, err := FileKEK(rest)
	if err != nil {
		return KEK{}, err
	}
	return KEK{Name: uri, Key: here{key}}, nil
}

// CheckKEK says what is wrong with a KEK's URI, without opening it or quoting
// it.
func CheckKEK(uri string) error {
	scheme, rest := splitKEK(uri)
	switch scheme {
	case SchemeFile:
		if rest == "" {
			return fmt.Errorf("%w: it has no path", ErrKEKURI)
		}
		return nil
	case SchemeHCVault:
		return checkTransit(uri)
	case SchemeAWS:
		if !strings.HasPrefix(rest, "arn:aws") || strings.Count(rest, ":") < 5 {
			return fmt.Errorf("%w: want aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID", ErrKEKURI)
		}
		return nil
	case SchemeGCP:
		if parts := strings.Split(rest, "/"); len(parts) != 8 || parts[0] != "projects" || parts[6] != "cryptoKeys" {
			return fmt.Errorf("%w: want gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K", ErrKEKURI)
		}
		return nil
	default:
		return fmt.Errorf("%w: the scheme is none of %s, %s, %s, %s", ErrKEKURI, SchemeFile, SchemeHCVault, SchemeAWS, SchemeGCP)
	}
}

// splitKEK takes a URI apart; a bare path is that of a file.
func splitKEK(uri string) (scheme, rest string) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found {
		return SchemeFile, uri
	}
	return scheme, rest
}

func checkTransit(uri string) error {
	const want = "want hcvault://host:port/MOUNT/keys/NAME"
	address, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrKEKURI, want)
	}
	parts := strings.Split(address.Path, "/")
	switch {
	case address.User != nil || address.RawQuery != "" || address.Fragment != "":
		return fmt.Errorf("%w: it holds a user, a query or a fragment; %s", ErrKEKURI, want)
	case address.Host == "" || len(parts) < 4 || parts[len(parts)-2] != "keys" || parts[len(parts)-1] == "":
		return fmt.Errorf("%w: %s", ErrKEKURI, want)
	}
	return nil
}

// here is a key in this process, which needs no context.
type here struct{ key tink.AEAD }

func (h here) EncryptWithContext(_ context.Context, plain, data []byte) ([]byte, error) {
	return h.key.Encrypt(plain, data)
}

func (h here) DecryptWithContext(_ context.Context, sealed, data []byte) ([]byte, error) {
	return h.key.Decrypt(sealed, data)
}

// remote is a key of a service whose client knows no context: the caller leaves
// with its own, and the client's time limit ends the request.
type remote struct{ key tink.AEAD }

func (r remote) EncryptWithContext(ctx context.Context, plain, data []byte) ([]byte, error) {
	return within(ctx, func() ([]byte, error) { return r.key.Encrypt(plain, data) })
}

func (r remote) DecryptWithContext(ctx context.Context, sealed, data []byte) ([]byte, error) {
	return within(ctx, func() ([]byte, error) { return r.key.Decrypt(sealed, data) })
}

func within(ctx context.Context, ask func() ([]byte, error)) ([]byte, error) {
	type answer struct {
		value []byte
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := ask()
		answered <- answer{value, err}
	}()
	select {
	case got := <-answered:
		return got.value, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// ring is the KEKs of a vault: the first seals, all of them open.
type ring []KEK

// order is in which order the KEKs are tried: the one that is said to have
// sealed first. What is said is in clear and may be forged, or be another's
// path of the same file; a wrong key opens nothing, so it costs time alone.
func (r ring) order(said string) []KEK {
	ordered := make([]KEK, 0, len(r))
	for _, kek := range r {
		if kek.Name == said {
			ordered = append(ordered, kek)
		}
	}
	for _, kek := range r {
		if kek.Name != said {
			ordered = append(ordered, kek)
		}
	}
	return ordered
}

// why says why no KEK opened a keyset: because one of them cannot be asked, or
// because none of them sealed it. It seals a word that is no secret, whose
// refusal may be shown in full.
func (r ring) why(ctx context.Context, said string) error {
	var faults []error
	for _, kek := range r {
		if _, err := kek.Key.EncryptWithContext(ctx, []byte("probe"), []byte("v1|probe")); err != nil {
			faults = append(faults, fmt.Errorf("%w: %s: %w", ErrKEK, kek.Name, err))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if said == "" {
		return fmt.Errorf("%w: keyset", ErrSealed)
	}
	return fmt.Errorf("%w: keyset, which is said to be under %q", ErrSealed, said)
}

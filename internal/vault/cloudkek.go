package vault

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms"
	"google.golang.org/api/option"
)

// awsKEK is a key of AWS KMS, reached with what the SDK finds in the
// environment.
func awsKEK(ctx context.Context, uri, arn string) (KEK, error) {
	key, err := awskms.NewAEADWithContext(ctx, arn)
	if err != nil {
		return KEK{}, fmt.Errorf("opening %s: %w", uri, err)
	}
	return KEK{Name: uri, Key: key}, nil
}

// gcpKEK is a key of Google Cloud KMS, reached with the default credentials. It
// speaks HTTP: a keyset is opened once in minutes, for which no gRPC connection
// is worth keeping.
func gcpKEK(ctx context.Context, uri string, options ...option.ClientOption) (KEK, error) {
	client, err := gcpkms.NewClient(ctx, uri, gcpkms.WithTransport(gcpkms.TransportREST), gcpkms.WithGoogleAPIClientOptions(options...))
	if err != nil {
		return KEK{}, fmt.Errorf("opening %s: %w", uri, err)
	}
	key, err := client.GetAEAD(uri)
	if err != nil {
		return KEK{}, fmt.Errorf("opening %s: %w", uri, err)
	}
	return KEK{Name: uri, Key: remote{key}}, nil
}

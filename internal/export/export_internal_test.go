package export

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Sign signs as webhooks are signed.
func Sign(t *testing.T, secret, id string, at time.Time, body string) string {
	t.Helper()
	signer, err := parseSecret(secret)
	require.NoError(t, err)
	return signer.sign(id, at, []byte(body))
}

package app_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
)

// pemKey is a new key, private and public.
func pemKey(t *testing.T) (private, public []byte) {
	t.Helper()
	open, closed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(closed)
	require.NoError(t, err)
	shown, err := x509.MarshalPKIXPublicKey(open)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: shown})
}

// A signed report says what it said, however its JSON is laid out, and one that
// was changed, or that another signed, is found out.
func TestReportsAreSigned(t *testing.T) {
	t.Parallel()
	private, public := pemKey(t)
	audit := app.LedgerAudit{OK: true, At: time.Unix(1_700_000_000, 0).UTC(), Tenants: []app.TenantAudit{{Tenant: "acme", Aside: 2}}}
	signed, err := app.SignAudit(audit, private)
	require.NoError(t, err)
	for _, key := range [][]byte{private, public} {
		read, err := app.VerifyAudit(signed, key)
		require.NoError(t, err)
		require.Equal(t, audit.Tenants[0].Aside, read.Tenants[0].Aside)
		_, err = app.VerifyAudit([]byte(strings.ReplaceAll(string(signed), ",", ", \n")), key)
		require.NoError(t, err, "the layout is not signed")
	}
	_, err = app.VerifyAudit([]byte(strings.Replace(string(signed), `"aside":2`, `"aside":3`, 1)), public)
	require.ErrorIs(t, err, app.ErrReportSignature)
	_, other := pemKey(t)
	_, err = app.VerifyAudit(signed, other)
	require.ErrorIs(t, err, app.ErrReportSignature)
	_, err = app.SignAudit(audit, public)
	require.ErrorIs(t, err, app.ErrReportKey)
	_, err = app.VerifyAudit(signed, []byte("canary"))
	require.ErrorIs(t, err, app.ErrReportKey)
}

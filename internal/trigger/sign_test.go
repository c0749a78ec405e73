package trigger_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/trigger"
)

// verify asks the library of Standard Webhooks itself.
func verify(t *testing.T, secret string, body []byte, headers map[string]string) error {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	header := http.Header{}
	for name, value := range headers {
		header.Set(name, value)
	}
	return library.Verify(body, header)
}

func TestSignaturesStandBeforeTheStandardsOwnLibrary(t *testing.T) {
	t.Parallel()
	now := time.Now()
	first, err := trigger.NewSecrets(rand.Reader)
	require.NoError(t, err)
	second, err := first.Rotated(rand.Reader, now)
	require.NoError(t, err)
	third, err := second.Rotated(rand.Reader, now)
	require.NoError(t, err)
	body := []byte(`{"type":"payment.confirmed"}`)

	headers, err := trigger.Sign(third, "msg_1", body, now)
	require.NoError(t, err)
	for name, secrets := range map[string]trigger.Secrets{"first": first, "second": second, "third": third} {
		require.NoError(t, verify(t, secrets.Newest(), body, headers), name)
		require.Error(t, verify(t, secrets.Newest(), []byte(`{"type":"payment.refunded"}`), headers), name)
	}
	foreign, err := trigger.NewSecrets(rand.Reader)
	require.NoError(t, err)
	require.Error(t, verify(t, foreign.Newest(), body, headers))

	// CodeSpar's header is of the newest secret's text, as its documentation has it.
	sum := hmac.New(sha256.New, []byte(third.Newest()))
	sum.Write(body)
	require.Equal(t, hex.EncodeToString(sum.Sum(nil)), headers[trigger.HeaderCodeSpar])

	// The overlap over, the old secrets prove nothing.
	headers, err = trigger.Sign(third, "msg_1", body, now.Add(trigger.Overlap))
	require.NoError(t, err)
	require.NotContains(t, headers[trigger.HeaderSignature], " ")
}

func TestSecretsAreSealedWholeAndPrintedNever(t *testing.T) {
	t.Parallel()
	secrets, err := trigger.NewSecrets(rand.Reader)
	require.NoError(t, err)
	for range 6 {
		secrets, err = secrets.Rotated(rand.Reader, time.Now())
		require.NoError(t, err)
	}
	text, err := secrets.Reveal()
	require.NoError(t, err)
	read, err := trigger.ParseSecrets(text)
	require.NoError(t, err)
	require.Equal(t, secrets.Newest(), read.Newest())
	headers, err := trigger.Sign(read, "msg_1", []byte("{}"), time.Now())
	require.NoError(t, err)
	require.Equal(t, 3, bytes.Count([]byte(headers[trigger.HeaderSignature]), []byte(" ")), "four sign at most")
	for _, shown := range []string{fmt.Sprint(secrets), fmt.Sprintf("%+v", secrets), fmt.Sprintf("%#v", secrets)} {
		require.NotContains(t, shown, "whsec")
	}
	for _, broken := range []string{"", "[]", "{", `[{"text":"plain"}]`, `[{"text":"whsec_!"}]`, `[{"text":"whsec_"}]`} {
		_, err := trigger.ParseSecrets(broken)
		require.ErrorIs(t, err, trigger.ErrInvalid, broken)
		require.NotContains(t, err.Error(), "plain")
	}
	_, err = trigger.Sign(trigger.Secrets{}, "msg_1", nil, time.Now())
	require.ErrorIs(t, err, trigger.ErrInvalid)
}

package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v85"
	oracle "github.com/stripe/stripe-go/v85/webhook"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/webhook"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// provider is one way of sending, signed by something that is not this package:
// the provider's own library where there is one, plain HMAC where not.
type provider struct {
	server string
	scheme webhook.Scheme
	keys   [3]string // the first and second are its own, the third is another's
	sign   func(t *testing.T, key string, body []byte, at time.Time) (header map[string]string, path string)
	// timed says that the signature has a time, covers that it holds the body.
	timed, covers bool
}

func providers() []provider {
	header := func(name string, encode func([]byte) string) func(*testing.T, string, []byte, time.Time) (map[string]string, string) {
		return func(_ *testing.T, key string, body []byte, _ time.Time) (map[string]string, string) {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write(body)
			return map[string]string{name: encode(mac.Sum(nil))}, ""
		}
	}
	plain := [3]string{"first-secret-of-the-app", "second-secret-of-the-app", "secret-of-somebody-else"}
	whsec := [3]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_bm90LXRoZS1zYW1lLWtleS1hdC1hbGw=", "whsec_c29tZWJvZHktZWxzZXMtb3duLWtleQ=="}
	return []provider{
		{server: "stripe", scheme: webhook.SchemeStripe, keys: whsec, sign: signStripe, timed: true, covers: true},
		{server: "crm", scheme: webhook.SchemeStandard, keys: whsec, sign: signStandard, timed: true, covers: true},
		{server: "melhor-envio", scheme: webhook.SchemeMelhorEnvio, keys: plain, sign: header("X-Me-Signature", hex.EncodeToString), covers: true},
		{server: "melhor-envio", scheme: webhook.SchemeMelhorEnvio, keys: plain, sign: header("X-Me-Signature", base64.StdEncoding.EncodeToString), covers: true},
		{server: "crm", scheme: webhook.SchemeHMAC, keys: plain, covers: true, sign: header("X-Webhook-Signature", func(sum []byte) string {
			return "sha256=" + hex.EncodeToString(sum)
		})},
		{server: "asaas", scheme: webhook.SchemeToken, keys: plain, sign: func(_ *testing.T, key string, _ []byte, _ time.Time) (map[string]string, string) {
			return map[string]string{"Asaas-Access-Token": key}, ""
		}},
		{server: "z-api", scheme: webhook.SchemePath, keys: plain, sign: func(_ *testing.T, key string, _ []byte, _ time.Time) (map[string]string, string) {
			return nil, key
		}},
	}
}

// signStripe signs as Stripe's own library does.
func signStripe(_ *testing.T, key string, body []byte, at time.Time) (map[string]string, string) {
	signed := oracle.GenerateTestSignedPayload(&oracle.UnsignedPayload{Payload: body, Secret: key, Timestamp: at, Scheme: "v1"})
	return map[string]string{"Stripe-Signature": signed.Header}, ""
}

// signStandard signs as the library of Standard Webhooks does.
func signStandard(t *testing.T, key string, body []byte, at time.Time) (map[string]string, string) {
	t.Helper()
	signer, err := standard.NewWebhook(key)
	require.NoError(t, err)
	signature, err := signer.Sign("msg_1", at, body)
	require.NoError(t, err)
	return map[string]string{"Webhook-Id": "msg_1", "Webhook-Timestamp": stamp(at), "Webhook-Signature": signature}, ""
}

func stamp(at time.Time) string { return big(at.Unix()) }

func delivery(header map[string]string, path string, body []byte) webhook.Delivery {
	return webhook.Delivery{Header: func(name string) string { return header[http.CanonicalHeaderKey(name)] }, Path: path, Body: body}
}

func TestVerifyByProvider(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":"evt_1","event":"PAYMENT_RECEIVED","type":"payment_intent.succeeded"}`)
	for _, p := range providers() {
		lock := webhook.Lock{Scheme: p.scheme, Keys: []webhook.Key{{Text: p.keys[0]}}}
		rotated := webhook.Lock{Scheme: p.scheme, Keys: []webhook.Key{{Text: p.keys[1]}, {Text: p.keys[0], Until: noon.Add(time.Hour)}}}
		for name, test := range map[string]struct {
			lock  webhook.Lock
			key   string
			at    time.Time
			now   time.Time
			alter func(header map[string]string, path *string, body []byte) []byte
			want  error
		}{
			"valid":                   {lock: lock, key: p.keys[0], at: noon, now: noon},
			"valid, a little late":    {lock: lock, key: p.keys[0], at: noon, now: noon.Add(4 * time.Minute)},
			"valid, a little early":   {lock: lock, key: p.keys[0], at: noon, now: noon.Add(-4 * time.Minute)},
			"wrong secret":            {lock: lock, key: p.keys[2], at: noon, now: noon, want: webhook.ErrSignature},
			"as late as may be":       {lock: lock, key: p.keys[0], at: noon, now: noon.Add(webhook.Tolerance)},
			"as early as may be":      {lock: lock, key: p.keys[0], at: noon, now: noon.Add(-webhook.Tolerance)},
			"a second too late":       {lock: lock, key: p.keys[0], at: noon, now: noon.Add(webhook.Tolerance + time.Second), want: when(p.timed, webhook.ErrStale)},
			"a second too early":      {lock: lock, key: p.keys[0], at: noon, now: noon.Add(-webhook.Tolerance - time.Second), want: when(p.timed, webhook.ErrStale)},
			"old timestamp":           {lock: lock, key: p.keys[0], at: noon, now: noon.Add(6 * time.Minute), want: when(p.timed, webhook.ErrStale)},
			"timestamp from tomorrow": {lock: lock, key: p.keys[0], at: noon, now: noon.Add(-24 * time.Hour), want: when(p.timed, webhook.ErrStale)},
			"new secret of two":       {lock: rotated, key: p.keys[1], at: noon, now: noon},
			"old secret of two":       {lock: rotated, key: p.keys[0], at: noon, now: noon},
			"old secret, its time over": {
				lock: rotated, key: p.keys[0], at: noon.Add(2 * time.Hour), now: noon.Add(2 * time.Hour), want: webhook.ErrSignature,
			},
			"altered body": {lock: lock, key: p.keys[0], at: noon, now: noon, want: when(p.covers, webhook.ErrSignature), alter: func(_ map[string]string, _ *string, body []byte) []byte {
				return []byte(strings.Replace(string(body), "evt_1", "evt_2", 1))
			}},
			"unsigned": {lock: lock, key: p.keys[0], at: noon, now: noon, want: webhook.ErrUnsigned, alter: func(header map[string]string, path *string, body []byte) []byte {
				clear(header)
				*path = ""
				return body
			}},
			"no keys": {lock: webhook.Lock{Scheme: p.scheme}, key: p.keys[0], at: noon, now: noon, want: webhook.ErrSignature},
			"empty":   {lock: lock, key: p.keys[0], at: noon, now: noon, alter: func(map[string]string, *string, []byte) []byte { return nil }, want: when(p.covers, webhook.ErrSignature)},
		} {
			t.Run(string(p.scheme)+"/"+name, func(t *testing.T) {
				t.Parallel()
				require.True(t, p.scheme.Fits(p.server))
				header, path := p.sign(t, test.key, body, test.at)
				sent := body
				if test.alter != nil {
					sent = test.alter(header, &path, body)
				}
				_, err := webhook.Verify(test.lock, delivery(header, path, sent), test.now)
				require.ErrorIs(t, err, test.want)
				for _, key := range p.keys {
					if err != nil {
						require.NotContains(t, err.Error(), key)
					}
				}
			})
		}
	}
}

func when(condition bool, err error) error {
	if condition {
		return err
	}
	return nil
}

// TestSignIsWhatIsVerified: what the sandbox sends passes the libraries of
// others, and ours.
func TestSignIsWhatIsVerified(t *testing.T) {
	t.Parallel()
	now := time.Now()
	body := []byte(`{"id":"evt_1","object":"event","api_version":"` + stripe.APIVersion + `"}`)
	for _, p := range providers() {
		lock := webhook.Lock{Scheme: p.scheme, Keys: []webhook.Key{{Text: p.keys[0]}}}
		header, path := webhook.Sign(lock, "msg_1", body, now), ""
		if p.scheme == webhook.SchemePath {
			path = p.keys[0]
		}
		proof, err := webhook.Verify(lock, delivery(header, path, body), now)
		require.NoError(t, err, p.scheme)
		if p.scheme == webhook.SchemeStripe {
			_, err := oracle.ConstructEvent(body, header["Stripe-Signature"], p.keys[0])
			require.NoError(t, err)
		}
		if p.scheme == webhook.SchemeStandard {
			require.Equal(t, "msg_1", proof.ID)
			verifier, err := standard.NewWebhook(p.keys[0])
			require.NoError(t, err)
			sent := http.Header{}
			for name, value := range header {
				sent.Set(name, value)
			}
			require.NoError(t, verifier.Verify(body, sent))
		}
	}
}

// TestStripeAgreesWithStripe draws headers as an attacker may write them:
// whatever Stripe's library takes is taken and what it refuses is refused, but
// for times that are ahead, which it takes.
func TestStripeAgreesWithStripe(t *testing.T) {
	t.Parallel()
	key := providers()[0].keys[0]
	body := []byte(`{"id":"evt_1","object":"event"}`)
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		at := now.Add(time.Duration(rapid.IntRange(-900, 0).Draw(t, "age")) * time.Second)
		good := oracle.GenerateTestSignedPayload(&oracle.UnsignedPayload{Payload: body, Secret: key, Timestamp: at}).Header
		_, signature, _ := strings.Cut(good, ",")
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"t=" + stamp(at), signature, "v1=00", "v1=zz", "v0=" + strings.Repeat("0", 64), "v1=" + strings.Repeat("ab", 32), "x=y", "nonsense", "t=soon", "",
		}), 0, 5).Draw(t, "parts")
		header := strings.Join(parts, ",")
		if age := now.Sub(at); age > 298*time.Second && age < 302*time.Second {
			t.Skip("the library's clock is not ours")
		}
		want := oracle.ValidatePayload(body, header, key)
		_, got := webhook.Verify(webhook.Lock{Scheme: webhook.SchemeStripe, Keys: []webhook.Key{{Text: key}}}, delivery(map[string]string{"Stripe-Signature": header}, "", body), now)
		require.Equal(t, want == nil, got == nil, "%q: theirs %v, ours %v", header, want, got)
	})
}

// TestStandardAgreesWithStandard does the same for Standard Webhooks.
func TestStandardAgreesWithStandard(t *testing.T) {
	t.Parallel()
	keys := providers()[1].keys
	verifier, err := standard.NewWebhook(keys[0])
	require.NoError(t, err)
	other, err := standard.NewWebhook(keys[2])
	require.NoError(t, err)
	body := []byte(`{"type":"payment.confirmed"}`)
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		at := now.Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "age")) * time.Second)
		if age := now.Sub(at).Abs(); age > 297*time.Second && age < 303*time.Second {
			t.Skip("the library's clock is not ours")
		}
		good, err := verifier.Sign("msg_1", at, body)
		require.NoError(t, err)
		bad, err := other.Sign("msg_1", at, body)
		require.NoError(t, err)
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{good, bad, "v1a," + good[3:], "v1,", "v1", "v1,***", "v2," + good[3:], good + ",x"}), 0, 4).Draw(t, "parts")
		header := map[string]string{
			"Webhook-Id":        rapid.SampledFrom([]string{"msg_1", "msg_2", ""}).Draw(t, "id"),
			"Webhook-Timestamp": rapid.SampledFrom([]string{stamp(at), stamp(at.Add(time.Second)), "soon", ""}).Draw(t, "stamp"),
			"Webhook-Signature": strings.Join(parts, " "),
		}
		sent := http.Header{}
		for name, value := range header {
			sent.Set(name, value)
		}
		want := verifier.Verify(body, sent)
		_, got := webhook.Verify(webhook.Lock{Scheme: webhook.SchemeStandard, Keys: []webhook.Key{{Text: keys[0]}}}, delivery(header, "", body), now)
		require.Equal(t, want == nil, got == nil, "%v: theirs %v, ours %v", header, want, got)
	})
}

func TestKeysAreFitForTheirScheme(t *testing.T) {
	t.Parallel()
	for _, p := range providers() {
		require.NoError(t, p.scheme.CheckKey(p.keys[0]), p.scheme)
		made := p.scheme.NewKey([32]byte{1, 2, 3})
		require.NoError(t, p.scheme.CheckKey(made), p.scheme)
		for _, bad := range []string{"", "short", "with a blank in it", "line\nbreak-in-it", strings.Repeat("k", 2000)} {
			err := p.scheme.CheckKey(bad)
			require.ErrorIs(t, err, webhook.ErrKey, p.scheme)
			if bad != "" {
				require.NotContains(t, err.Error(), bad)
			}
		}
	}
	require.ErrorIs(t, webhook.SchemeStandard.CheckKey("whsec_not-base64!"), webhook.ErrKey)
	require.ErrorIs(t, webhook.SchemePath.CheckKey("a/b/c/d/e/f"), webhook.ErrKey)
	require.False(t, webhook.SchemeToken.Fits("stripe"))
	require.False(t, webhook.SchemeHMAC.Fits("asaas"))
	_, err := webhook.Verify(webhook.Lock{Scheme: "rot13"}, delivery(nil, "", nil), noon)
	require.ErrorIs(t, err, webhook.ErrScheme)
}

package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/telemetry"
)

func TestScrubKnownForms(t *testing.T) {
	t.Parallel()
	const r = telemetry.Redaction
	for text, want := range map[string]string{
		"charging with sk_live_4eC39HqLyjWDarjtT1zdp7dc":                          "charging with " + r,
		"key_rk_test_4eC39Hq, next":                                               "key_" + r + ", next",
		"csk_live_abc_DEF-1 refused":                                              r + " refused",
		`{"k":"csk_test_abc"}`:                                                    `{"k":"` + r + `"}`,
		"openai sk-proj-abc_123-DEF":                                              "openai " + r,
		"(sk-canary-1)":                                                           "(" + r + ")",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=":                                 r,
		"key $aact_prod_000Mzk:ab/c== sent":                                       "key " + r + " sent",
		"%24aact_abc&x=1":                                                         r,
		"Authorization: Bearer abc.def-ghi":                                       "Authorization: " + r + " " + r,
		"sent Bearer abcdef0 twice":                                               "sent Bearer " + r + " twice",
		"basic dXNlcjpwYXNz":                                                      "basic " + r,
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-x":                          "jwt " + r,
		"jwt eyJhbGciOiJIUzI1NiJ9 cut":                                            "jwt " + r + " cut",
		"POST https://api.z-api.io/instances/3A/token/9F/send-text":               "POST https://api.z-api.io/instances/" + r + "/token/" + r + "/send-text",
		"dial nats://me:p@ss@host:4222/x":                                         "dial nats://" + r + "@host:4222/x",
		"GET /v1?key=AIza&limit=3":                                                "GET /v1?key=" + r + "&limit=3",
		"GET /v1?access_token=abc&limit=3":                                        "GET /v1?access_token=" + r + "&limit=3",
		`{"password": "correct \" horse", "a": 1}`:                                `{"password": ` + r + `, "a": 1}`,
		`"{\"client_secret\":\"two words\",\"a\":1}"`:                             `"{\"client_secret\":` + r + `\",\"a\":1}"`,
		"asaas-access-token: 9f8e":                                                "asaas-access-token: " + r,
		"{password:hunter2 user:me}":                                              "{password:" + r + " user:me}",
		"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY":              r,
		"a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb": "a\n" + r + "\nb",
		"-----BEGIN PRIVATE KEY-----\nMHcCAQ":                                     r,
	} {
		require.Equal(t, want, telemetry.Scrub(text), text)
	}
}

func TestScrubLeavesOrdinaryTextAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "short", "the task-force of the risk-averse desk-top", "input_tokens=512 output_tokens: 17",
		"opening stream SESSIONS: nats: no responders", "https://api.stripe.com/v1/charges?limit=3",
		"feira.requests.acme", "turn.completed{status: rejected}", "mail me@host.example", "ação: çedilha €",
	} {
		require.Equal(t, text, telemetry.Scrub(text))
	}
}

func TestRedactorRemovesWhatItWasTold(t *testing.T) {
	t.Parallel()
	redactor := telemetry.NewRedactor("pa ss/w@rd", "pa ss/w@rd-longer", "short", "")
	for _, shape := range []string{"pa ss/w@rd", "pa+ss%2Fw%40rd", "pa%20ss%2Fw@rd", "70612073732f77407264", "cGEgc3Mvd0ByZA=="} {
		require.Equal(t, "a [redacted] b", redactor.Scrub("a "+shape+" b"), shape)
	}
	require.Equal(t, "[redacted]", redactor.Scrub("pa ss/w@rd-longer"), "a secret that begins another leaves no tail")
	require.Equal(t, "short", redactor.Scrub("short"))
	require.Equal(t, "[redacted]", (*telemetry.Redactor)(nil).Scrub("whsec_abc"))
	require.Equal(t, "[redacted]", (&telemetry.Redactor{}).Scrub("whsec_abc"))
}

func TestSensitiveNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"key", "api_key", "apiKey", "APIKEY", "keys", "X-Api-Key", "secret", "clientSecret", "token", "access_token",
		"Authorization", "proxy-authorization", "password", "db_passwd", "credential", "credentials",
	} {
		require.True(t, telemetry.Sensitive(name, false), name)
		require.True(t, telemetry.Sensitive(name, true), name)
	}
	for _, name := range []string{"tenant", "session", "keyboard", "error", "stream", "status", ""} {
		require.False(t, telemetry.Sensitive(name, false), name)
	}
	require.True(t, telemetry.Sensitive("refresh_tokens", false))
	require.False(t, telemetry.Sensitive("input_tokens", true))
	require.False(t, telemetry.Sensitive("InputTokens", true))
}

// planted draws a secret of a known form, and the part of it that nobody may see.
func planted(t *rapid.T) (secret, core string) {
	core = rapid.StringMatching(`[A-Z][a-z0-9]{11}[A-Z0-9]{12}`).Draw(t, "core")
	form := rapid.SampledFrom([]string{
		"sk_live_%s", "sk_test_%s", "rk_live_%s", "csk_live_%s", "csk_test_%s", "sk-%s", "sk-proj-%s", "$aact_%s", "$aact_prod_%s==",
		"whsec_%s", "Bearer %s", "bearer  %s", "Basic %s==", "BASIC\t%s", "eyJ%s", "eyJhbGciOi.%s.sig", "/instances/3A/token/%s",
		"/instances/%s/token/9F", "https://me:%s@host", "https://%s@host/path", "?api_key=%s", "password=%s", `"secret": "%s"`,
		`'token':'%s'`, "x-api-key: %s", "Authorization=%s", "told-%s",
	}).Draw(t, "form")
	return fmt.Sprintf(form, core), core
}

type card struct {
	Name   string
	Inner  map[string][]string
	hidden string
}

type named struct{ text string }

func (n named) String() string { return n.text }

type valuer struct{ text string }

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", v.text)) }

// bury hides text in a value of some kind.
func bury(t *rapid.T, text string) any {
	plain := rapid.SampledFrom([]any{
		text, errors.New(text), fmt.Errorf("calling: %w", errors.New(text)), errors.Join(errors.New("a"), errors.New(text)),
		[]byte(text),
		[]string{"a", text},
		map[string]any{"deep": map[string]any{"list": []any{1, text}}},
		map[string]string{text: "as a name"},
		card{Name: text},
		&card{Inner: map[string][]string{"a": {text}}},
		named{text},
		valuer{text},
		struct{ E error }{errors.New(text)},
		slog.GroupValue(slog.String("a", text), slog.Group("b", "c", text)),
		map[bool]card{true: {hidden: text}},
	}).Draw(t, "value")
	return plain
}

func TestPlantedSecretsNeverComeOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret, core := planted(t)
		edge := rapid.SampledFrom([]string{"", " ", "\n", `"`, "'", "(", ",", ";", "=", ": ", "[", "<", "é", "\\", "|", "\x00", "{", "/"})
		ordinary := rapid.StringMatching(`[ a-zé.]{0,12}`)
		text := ordinary.Draw(t, "before") + edge.Draw(t, "left") + secret + edge.Filter(func(s string) bool { return s != "" }).Draw(t, "right") + ordinary.Draw(t, "after")
		if strings.HasPrefix(secret, "sk-") || strings.HasPrefix(secret, "b") || strings.HasPrefix(secret, "B") {
			text = " " + secret + " " // these forms begin a word
		}

		var out bytes.Buffer
		var next slog.Handler = slog.NewJSONHandler(&out, nil)
		if rapid.Bool().Draw(t, "text handler") {
			next = slog.NewTextHandler(&out, nil)
		}
		logger := slog.New(telemetry.NewHandler(next, telemetry.NewRedactor("told-"+core)))
		line(t, logger, text, core)
		require.NotEmpty(t, out.String())
		require.NotContains(t, out.String(), core)
	})
}

// line writes one line with the text, or under a telling name its core alone,
// in one of its places.
func line(t *rapid.T, logger *slog.Logger, text, core string) {
	ctx := context.Background()
	telling := rapid.SampledFrom([]string{"key", "api_key", "secret", "token", "Authorization", "password", "credential", "tokens"}).Draw(t, "telling name")
	switch rapid.IntRange(0, 9).Draw(t, "place") {
	case 0:
		logger.InfoContext(ctx, text) //nolint:sloglint // the message is what is tested
	case 1:
		logger.InfoContext(ctx, "calling", "value", bury(t, text))
	case 2:
		logger.With("value", bury(t, text)).InfoContext(ctx, "calling")
	case 3:
		logger.WithGroup("call").With("a", 1).InfoContext(ctx, "calling", "value", bury(t, text))
	case 4:
		logger.InfoContext(ctx, "calling", slog.Group("call", "value", bury(t, text)))
	case 5:
		logger.InfoContext(ctx, "calling", telling, core)
	case 6:
		logger.With(telling, bury(t, core)).InfoContext(ctx, "calling")
	case 7:
		logger.WithGroup(telling).InfoContext(ctx, "calling", "value", bury(t, core))
	case 8:
		logger.InfoContext(ctx, "calling", "value", map[string]any{telling: []string{core}})
	case 9:
		logger.InfoContext(ctx, "calling", text, 1)
	}
}

func FuzzScrub(f *testing.F) {
	for _, seed := range []string{"", "sk_live_abc", `"password":"\`, "://@", "Bearer \\", "-----BEGIN PRIVATE KEY-----", "\xff\xfe token=\xff"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const core = "Q7canary7Zq81MfKQ9r8"
		for _, secret := range []string{"sk_live_" + core, "whsec_" + core, "$aact_" + core, "eyJ" + core, "csk_test_" + core} {
			if clean := telemetry.Scrub(before + secret + after); strings.Contains(clean, core) {
				t.Fatalf("%q comes out as %q", before+secret+after, clean)
			}
		}
	})
}

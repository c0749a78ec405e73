package export_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/usage"
)

func TestSettingsNameEveryFault(t *testing.T) {
	t.Parallel()
	for fault, spoil := range map[string]func(*export.Settings){
		"name:":                            func(s *export.Settings) { s.Name = "a b" },
		"sink:":                            func(s *export.Settings) { s.Kind = "x" },
		"environment:":                     func(s *export.Settings) { s.Environment = "x" },
		"batch:":                           func(s *export.Settings) { s.Batch = -1 },
		"settle:":                          func(s *export.Settings) { s.Settle = -1 },
		"dir:":                             func(s *export.Settings) { s.Dir = "x" },
		"url: is no address":               func(s *export.Settings) { s.URL = "https://" },
		"another scheme":                   func(s *export.Settings) { s.URL = "ftp://a" },
		"a password":                       func(s *export.Settings) { s.URL = "https://me:canary@a" },
		`dimensions["a"]: "b" is no field`: func(s *export.Settings) { s.Dimensions = map[string]string{"a": "b"} },
		`dimensions["quantity"]`:           func(s *export.Settings) { s.Dimensions = map[string]string{"quantity": "tool"} },
		"meters[0]":                        func(s *export.Settings) { s.Meters = []export.Meter{{}} },
	} {
		spoilt := export.Settings{Kind: export.KindLago, URL: "https://lago.example"}
		require.NoError(t, spoilt.Validate())
		spoil(&spoilt)
		err := spoilt.Validate()
		require.ErrorIs(t, err, export.ErrSettings, fault)
		require.ErrorContains(t, err, fault)
		require.NotContains(t, err.Error(), "canary")
	}
	_, err := export.ParseSettings([]byte("sink: lago\nsecret: x\n"))
	require.ErrorIs(t, err, export.ErrSettings, "no field that nobody knows")
	_, err = export.New(export.Config{Settings: export.Settings{Kind: export.KindWebhook, URL: "https://a"}, Books: open(t, filled(t)), Zone: time.UTC, Key: "canary"})
	require.ErrorIs(t, err, export.ErrSettings)
	require.NotContains(t, err.Error(), "canary")
}

// What an export told cannot come to mean something else.
func TestSettingsOfAnExportStay(t *testing.T) {
	t.Parallel()
	book := open(t, filled(t))
	where, _, _ := place(t, export.KindCSV)
	where.Name = "files"
	_, err := newExporter(t, book, where).Run(t.Context())
	require.NoError(t, err)
	where.Environment = "test"
	_, err = newExporter(t, book, where).Run(t.Context())
	require.ErrorContains(t, err, "began with other settings")
}

// Whatever the other side answers, the cursor moves over nothing that it has not
// taken; the key is in no error; and a redirect takes it nowhere.
func TestRefusalsAreToldAndNothingIsPassedOver(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		http.StatusUnauthorized: export.ErrRefused, http.StatusUnprocessableEntity: export.ErrRefused, http.StatusFound: export.ErrRefused,
		http.StatusTooManyRequests: export.ErrUnreachable, http.StatusBadGateway: export.ErrUnreachable,
	} {
		for _, kind := range []export.Kind{export.KindOpenMeter, export.KindLago, export.KindWebhook, export.KindStripe} {
			tries := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries++
				w.Header().Set("Location", "http://169.254.169.254/")
				w.WriteHeader(status)
				_, _ = w.Write([]byte("you sent " + r.Header.Get("Authorization")))
			}))
			book := open(t, filled(t))
			zone, err := usage.Zone("")
			require.NoError(t, err)
			exporter, err := export.New(export.Config{
				Settings: settings(kind, server.URL), Books: book, Zone: zone, Key: secret, Tries: 3, Pause: time.Millisecond, Now: now,
			})
			require.NoError(t, err)
			report, err := exporter.Run(t.Context())
			require.ErrorIs(t, err, want, "%s %d", kind, status)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, err.Error(), server.URL)
			require.Equal(t, map[bool]int{true: 3, false: 1}[want == export.ErrUnreachable], tries) //nolint:errorlint // the sentinel itself
			if kind != export.KindStripe {
				require.Zero(t, report.Cursor)
			}
			exporter.Close()
			server.Close()
		}
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/telemetry"
)

// The script speaks to the gateway of a Feira in this process, with the stand-ins
// of the providers. "session ARGS..." is "feira session ARGS..." with its address
// and its key.
func TestSessionScript(t *testing.T) {
	t.Parallel()
	runDevScript(t, app.DevParams{StandIns: true, Seed: true}, "testdata/session.txtar")
}

// Beside that, "act PATH JSON" is what somebody does at a provider who has no
// account there, and "eventually REGEXP ARGS..." is "session ARGS..." until it
// prints what is looked for.
func TestWebhookScript(t *testing.T) {
	t.Parallel()
	runDevScript(t, app.DevParams{StandIns: true, Webhooks: true, Seed: true}, "testdata/webhooks.txtar")
}

func runDevScript(t *testing.T, params app.DevParams, script string) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	cfg := config.Default()
	cfg.DataDir, cfg.Gateway.Address = t.TempDir(), "127.0.0.1:0"
	running, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, stopped := make(chan app.Dev, 1), make(chan error, 1)
	go func() {
		params.Ready = func(at app.Dev) { ready <- at }
		stopped <- app.RunDev(running, cfg, tel, params)
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	var at app.Dev
	select {
	case at = <-ready:
	case err := <-stopped:
		stopped <- nil // for the clean-up
		require.NoError(t, err, "it stopped before it was ready")
	}
	session := func(ts *testscript.TestScript, args []string, out io.Writer) int {
		args = append([]string{"session", "--url", at.HTTP + "/", "--api-key", at.Key}, args...)
		return run(t.Context(), args, streams{in: strings.NewReader(""), out: out, err: ts.Stderr()})
	}
	testscript.Run(t, testscript.Params{
		Files: []string{script}, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"session": func(ts *testscript.TestScript, failure bool, args []string) {
				code := session(ts, args, ts.Stdout())
				if (code != exitOK) != failure {
					ts.Fatalf("feira ended with code %d", code)
				}
			},
			"eventually": func(ts *testscript.TestScript, _ bool, args []string) {
				wanted, until := regexp.MustCompile(args[0]), time.Now().Add(patience)
				for pause := time.NewTicker(pace); ; <-pause.C {
					var out strings.Builder
					if session(ts, args[1:], &out) == exitOK && wanted.MatchString(out.String()) {
						pause.Stop()
						_, _ = io.WriteString(ts.Stdout(), out.String())
						return
					}
					if time.Now().After(until) {
						ts.Fatalf("%s is not in %s", args[0], out.String())
					}
				}
			},
			"act": func(ts *testscript.TestScript, failure bool, args []string) {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.StandIns+"/_sandbox/"+args[0], strings.NewReader(args[1]))
				ts.Check(err)
				answer, err := http.DefaultClient.Do(request)
				ts.Check(err)
				_, err = io.Copy(ts.Stdout(), answer.Body)
				ts.Check(errors.Join(err, answer.Body.Close()))
				if (answer.StatusCode != http.StatusOK) != failure {
					ts.Fatalf("the stand-in answers %d", answer.StatusCode)
				}
			},
			"remember": func(ts *testscript.TestScript, _ bool, args []string) {
				found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
				if len(found) != 2 {
					ts.Fatalf("%s is not in stdout, or has no group", args[1])
				}
				ts.Setenv(args[0], found[1])
			},
		},
	})
}

// A key goes to the gateway alone, and into nothing that is printed.
func TestSessionKeepsItsKey(t *testing.T) {
	t.Parallel()
	const key = "csk_test_0123456789"
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the key was led to another host") }))
	t.Cleanup(stranger.Close)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			t.Error("the gateway is told another key")
		}
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(gateway.Close)
	for _, args := range [][]string{
		{"--url", gateway.URL, "--api-key", key},
		{"--url", "http://" + key + "@gateway.example", "--api-key", key},
		{"--url", "ftp://gateway.example", "--api-key", key},
		{"--url", "http://127.0.0.1:1", "--api-key", key},
	} {
		var out, complaint strings.Builder
		code := run(t.Context(), append([]string{"session", "show", "ses_1"}, args...), streams{in: strings.NewReader(""), out: &out, err: &complaint})
		require.Equal(t, exitFailed, code)
		require.NotContains(t, out.String()+complaint.String(), key, args)
	}
}

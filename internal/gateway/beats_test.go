package gateway

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stream says that it lives from when a call begins to wait, and passes whole.
func TestStreamsOfMCPBeat(t *testing.T) {
	t.Parallel()
	proceed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := newBeats(w, time.Millisecond)
		defer out.finish(func(int, string) { t.Error("a stream was refused") })
		out.Header().Set("Content-Type", "text/event-stream")
		out.Header().Set("Connection", "keep-alive")
		out.start()
		out.start()
		<-proceed
		_, _ = io.WriteString(out, "event: message\ndata: {}\n\n")
		_ = http.NewResponseController(out).Flush()
	}))
	t.Cleanup(server.Close)
	answer, err := server.Client().Get(server.URL) //nolint:noctx // it is a test's
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	require.Equal(t, "no", answer.Header.Get("X-Accel-Buffering"))
	require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	in := bufio.NewReader(answer.Body)
	for _, want := range []string{": heartbeat\n", "\n", ": heartbeat\n", "\n"} {
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, want, line)
	}
	close(proceed)
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Regexp(t, "^(: heartbeat\n\n)*event: message\ndata: {}\n\n(: heartbeat\n\n)*$", string(rest))
}

func TestRefusalsOfMCPAreFlat(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		media, body, want string
		status            int
	}{
		"plain":    {"text/plain; charset=utf-8", "Bad Request: no\n", "refused 400 Bad Request: no\n", http.StatusBadRequest},
		"JSON-RPC": {"application/json", `{"jsonrpc":"2.0"}`, `{"jsonrpc":"2.0"}`, http.StatusNotFound},
		"accepted": {"", "", "", http.StatusAccepted},
	} {
		recorder := httptest.NewRecorder()
		out := newBeats(recorder, time.Hour)
		if row.media != "" {
			out.Header().Set("Content-Type", row.media)
		}
		out.WriteHeader(row.status)
		_, _ = io.WriteString(out, row.body)
		out.finish(func(status int, text string) {
			require.Equal(t, row.status, status)
			recorder.WriteHeader(status)
			_, _ = io.WriteString(recorder, "refused 400 "+text)
		})
		require.Equal(t, row.status, recorder.Code, name)
		require.Equal(t, row.want, recorder.Body.String(), name)
	}
}

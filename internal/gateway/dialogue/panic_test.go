package dialogue_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// hollow is a gateway that has nothing behind any of its ports: whoever asks one
// of them panics.
func hollow(t *testing.T, log *slog.Logger) string {
	t.Helper()
	made, err := gateway.New(hollowConfig(log))
	require.NoError(t, err)
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// hollowConfig is that of a gateway that has nothing behind any of its ports.
func hollowConfig(log *slog.Logger) gateway.Config {
	return gateway.Config{
		Keys: struct{ gateway.Keys }{}, Keyring: struct{ gateway.Keyring }{}, Tenants: struct{ gateway.Tenants }{}, Registrar: struct{ gateway.Registrar }{},
		Log: struct{ gateway.Log }{}, Roll: struct{ gateway.Roll }{}, Requests: struct{ gateway.Requests }{}, Canceller: struct{ gateway.Canceller }{},
		Waits: &waits.Hub{}, Catalogue: struct{ agent.Catalogue }{}, Directory: struct{ gateway.Directory }{}, Safe: struct{ gateway.Safe }{},
		Triggers: struct{ gateway.Triggers }{}, Books: struct{ gateway.Books }{}, Replies: struct{ gateway.Replies }{}, Rates: struct{ gateway.Rates }{},
		Bills: struct{ gateway.Bills }{}, Purses: struct{ gateway.Purses }{},
		Addresses: struct{ gateway.Addresses }{}, Post: struct{ gateway.Post }{}, Ready: func(context.Context) error { return nil }, Logger: log,
		Connecting: gateway.Connecting{Grants: struct{ gateway.Grants }{}, Connector: struct{ gateway.Connector }{}, PublicURL: func() string { return "https://feira.example" }},
	}
}

// A panic is answered as a fault of the gateway's own, with nothing of what it
// was about, and costs nobody else anything.
func TestPanicEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer // read when the server is closed
	address := hollow(t, slog.New(slog.NewTextHandler(&log, nil)))
	for path, methods := range fetchDocument(t, address).Paths {
		for method, operation := range methods {
			if len(operation.Security) == 0 {
				continue // it asks for no key
			}
			answer, err := Exchange(t.Context(), address, strings.ToUpper(method)+" "+path+"\nAuthorization: Bearer csk_test_secret\nX-Request-Id: req_mine\n")
			require.NoError(t, err, operation.ID)
			require.Equal(t, http.StatusInternalServerError, answer.Status, "%s: %s", operation.ID, answer.Body)
			require.JSONEq(t, `{"error":"internal_error","code":"internal_error","message":"the gateway met a fault of its own; the request id finds it in the log","request_id":"req_mine"}`, answer.Body)
		}
	}
	answer, err := Exchange(t.Context(), address, "GET /health")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.Status)
	require.Contains(t, log.String(), "endpoint panicked")
	require.Contains(t, log.String(), "req_mine")
	require.NotContains(t, log.String(), "csk_test_secret")
}

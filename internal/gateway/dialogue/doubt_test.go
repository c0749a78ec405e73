package dialogue_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
)

// mostSteps is more than any endpoint asks of its broker.
const mostSteps = 24

// Wherever in an exchange the broker goes, "nothing was done" is said where it
// was asked for no write, and never where it was: then the client hears that
// nobody knows, or that it was done, and what it may do.
func TestNothingWasDoneIsTrue(t *testing.T) {
	t.Parallel()
	rows := walls()
	rows["connect-return"] = wall{path: func(target) string { return "/v1/connect/return?state=a&code=b" }}
	rows["receive-webhook"] = wall{
		path: func(of target) string { return "/v1/webhooks/stripe/" + of.connection + ".path-secret-4242" },
		body: func(target) string { return `{}` },
	}
	document := fetchDocument(t, hollow(t, slog.New(slog.DiscardHandler)))
	for id, row := range rows {
		method, _ := document.byID(id)
		if method == "" || method == http.MethodGet && id != "connect-return" {
			continue // it writes nothing, or is not served here
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			writes := false
			for gone := int64(1); ; gone++ {
				require.Less(t, gone, int64(mostSteps), "its broker is asked without end")
				broker := newForgetful(t, gone)
				broker.address = id == "rotate-webhook-address" || id == "receive-webhook"
				answer := broker.ask(t, method, row)
				if broker.steps.Load() < gone { // it did not go
					if slices.Contains([]string{"send", "execute", "proxy-execute", "mcp"}, id) {
						require.Contains(t, answer.Body, "cannot be heard now")
						require.Contains(t, answer.Body, "/v1/sessions/"+string(broker.opened.Session)+"/requests/req_")
					} else {
						require.Less(t, answer.Status, http.StatusBadRequest, answer.Body)
					}
					break
				}
				wrote := broker.wrote.Load() > 0
				writes = writes || wrote
				if id == "connect-return" && answer.Status == http.StatusFound {
					continue // the page that the person goes back to hears of it
				}
				require.Equal(t, wrote, !strings.Contains(answer.Body, "nothing was done"), "gone at step %d: %s", gone, answer.Body)
				if wrote {
					require.Regexp(t, `(does not say whether this was done|this was done, but the broker cannot be reached to show what came of it|cannot be heard now.*); [^"]+"`, answer.Body)
				}
				if id != "mcp" { // whose calls answer with what a model can read
					require.Equal(t, http.StatusServiceUnavailable, answer.Status, answer.Body)
					require.Equal(t, "1", answer.Header.Get("Retry-After"))
				}
			}
			require.True(t, writes, "no write of it was seen")
		})
	}
}

// ask asks a gateway with the broker behind it.
func (f *forgetful) ask(t *testing.T, method string, row wall) *Answer {
	t.Helper()
	of := target{
		tenant: string(f.customer.ID), session: string(f.opened.Session), request: "req_00000000000000000000000000", key: string(f.key.ID),
		connection: gateway.ConnectionID(f.customer.ID, "stripe", f.customer.Environment), trigger: string(events.NewTrigger(f.customer.ID, [10]byte{1})),
	}
	text := fmt.Sprintf("%s %s\nContent-Type: application/json\nAccept: application/json, text/event-stream\nAuthorization: Bearer csk_test_x\n\n", method, row.path(of))
	if row.body != nil {
		text += row.body(of)
	}
	answer, err := Exchange(t.Context(), f.serve(t), text)
	require.NoError(t, err)
	return answer
}

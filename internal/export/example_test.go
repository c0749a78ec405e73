package export_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// said is a request as the other side gets it.
type said struct {
	method, path, kind string
	header             http.Header
	body               []byte
}

// overhear exports one row of usage to a server that takes everything, and
// returns what it was sent.
func overhear(t *testing.T, where export.Settings, row usage.Row) said {
	t.Helper()
	heard := make(chan said, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			heard <- said{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header, body}
		}
	}))
	defer server.Close()
	where.URL = server.URL
	moment := row.OccurredAt.Add(24 * time.Hour)
	book, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	_, err = book.Record(t.Context(), usage.Batch{Rows: []usage.Row{row}})
	require.NoError(t, err)
	zone, err := usage.Zone("")
	require.NoError(t, err)
	exporter, err := export.New(export.Config{
		Settings: where, Books: book, Zone: zone, Key: secret, Tries: 1, Now: func() time.Time { return moment },
	})
	require.NoError(t, err)
	defer exporter.Close()
	_, err = exporter.Run(t.Context())
	require.NoError(t, err)
	return <-heard
}

// example is a document of testdata, without the layout of its JSON.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(text)
}

func exampleRow(at time.Time, tenant events.TenantID, server, tool string, quantity int64) usage.Row {
	return usage.Row{
		ID: usage.ID{Tenant: tenant, Source: "service-0", Event: "00001"}, Meter: "tool_call", Server: server, Tool: tool, Outcome: "ok", Billable: true,
		Environment: events.EnvironmentLive, Quantities: []usage.Quantity{{Unit: "call", Amount: usage.WholeAmount(quantity)}},
		Attempts: 1, OccurredAt: at, ReceivedAt: at, Sequence: 1,
	}
}

// What OpenMeter is sent is the example of its documentation, "Usage Events",
// in CloudEvents' batch format, which is a list of such.
func TestOpenMeterRequestIsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	where := export.Settings{
		Kind: export.KindOpenMeter, Value: "duration_seconds", Dimensions: map[string]string{"method": "server", "route": "tool"},
		Meters: []export.Meter{{Meter: "tool_call", Unit: "call", Event: "request"}},
	}
	at := time.Date(2024, time.January, 1, 0, 0, 0, 1_000_000, time.UTC)
	got := overhear(t, where, exampleRow(at, "customer-1", "GET", "/hello", 12))
	require.Equal(t, "POST /api/v1/events application/cloudevents-batch+json", got.method+" "+got.path+" "+got.kind)
	require.Equal(t, "Bearer "+secret, got.header.Get("Authorization"))
	require.JSONEq(t, "["+example(t, "openmeter.json")+"]", string(got.body))
}

// What Lago is sent is the example of its documentation, "Batch events".
func TestLagoRequestIsTheDocumentedExample(t *testing.T) {
	t.Parallel()
	where := export.Settings{
		Kind: export.KindLago, Value: "custom_field", Dimensions: map[string]string{},
		Meters:  []export.Meter{{Meter: "tool_call", Unit: "call", Event: "__BILLABLE_METRIC_CODE__"}},
		Tenants: map[events.TenantID]string{"acme": "__YOUR_SUBSCRIPTION_ID__"},
	}
	row := exampleRow(time.Unix(1_651_240_791, 0).UTC(), "acme", "", "", 12)
	got := overhear(t, where, row)
	require.Equal(t, "POST /api/v1/events/batch application/json", got.method+" "+got.path+" "+got.kind)
	require.Equal(t, "Bearer "+secret, got.header.Get("Authorization"))
	want := strings.NewReplacer("__UNIQUE_ID__", usage.Item{Row: row, Unit: "call"}.Key(), "$(date +%s)", "1651240791").Replace(example(t, "lago.json"))
	require.JSONEq(t, want, string(got.body))
}

// The signature is that of the example of the Standard Webhooks specification,
// for its id, time and body.
func TestWebhookIsSignedAsTheSpecificationSays(t *testing.T) {
	t.Parallel()
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		export.Sign(t, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1_614_265_330, 0), `{"test": 2432232314}`))
	got := overhear(t, export.Settings{Kind: export.KindWebhook}, exampleRow(now(), "acme", "asaas", "create_payment", 1))
	require.Equal(t, "webhook_0_1", got.header.Get("Webhook-Id"))
	require.Empty(t, got.header.Get("Authorization"))
	require.Equal(t, export.Sign(t, secret, "webhook_0_1", now().Add(24*time.Hour), string(got.body)), got.header.Get("Webhook-Signature"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(got.body, &body))
	require.Equal(t, "usage.exported", body["type"])
}

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// What was logged, published, booked and billed agrees; what cannot be booked is
// kept aside and counted; and a row that is taken away is missed.
func TestAuditFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	broker := b.connect(t)
	for n := range 3 {
		publishOrder(t, broker, n)
	}
	requireEndings(t, broker, "tenant_acme", 3)
	now := time.Now().UTC()
	foreign, err := events.Encode(events.UsageSubject("tenant_acme", "storage"), events.Envelope{
		ID: "old", Source: "/storage", Time: now.AddDate(0, 0, -40), Tenant: "tenant_acme",
	}, &events.UsageRecorded{
		Meter: "storage", Outcome: "ok", Billable: true, Environment: events.EnvironmentTest,
		Quantities: []events.Quantity{{Unit: "gib_hour", Amount: "1.5"}},
	})
	require.NoError(t, err)
	timely := foreign
	timely.Header = events.Header{}
	maps.Copy(timely.Header, foreign.Header)
	timely.Header.Set(events.HeaderID, "new")
	timely.Header.Set(events.HeaderTime, now.Format(time.RFC3339Nano))
	require.NoError(t, broker.Usage().Publish(t.Context(), []events.Message{foreign, timely}))

	audit := func(code int, args ...string) app.LedgerAudit {
		var out, complaints bytes.Buffer
		args = append(args, "--nats-url", b.url, "--data-dir", b.dir, "--log-level", "error", "--json")
		require.Equal(t, code, run(t.Context(), append([]string{"audit"}, args...), streams{out: &out, err: &complaints}), "%s%s", &out, &complaints)
		var found app.LedgerAudit
		require.NoError(t, json.Unmarshal(out.Bytes(), &found))
		return found
	}
	var found app.LedgerAudit
	var acme app.TenantAudit
	require.Eventually(t, func() bool { // the meter may still be publishing what the log has
		found = audit(exitOK)
		acme = found.Tenants[0]
		return acme.Usage.Events == acme.Log.Events+2
	}, patience, pace)
	require.Equal(t, events.TenantID("tenant_acme"), acme.Tenant)
	require.Positive(t, acme.Log.Events)
	require.Equal(t, acme.Log.Events+1, acme.Rows.Events)
	require.Equal(t, 1, acme.Aside)
	for unit, sum := range acme.Log.Sums {
		require.Equal(t, sum, acme.Rows.Sums[unit], unit)
	}
	require.Contains(t, b.feira(t, "", "audit"), "1.5 gib_hour")

	// A signed report holds, and one that was changed does not; an export that has
	// told of something else than the ledger has is named.
	folder := t.TempDir()
	key, report := filepath.Join(folder, "key.pem"), filepath.Join(folder, "report.json")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	b.feira(t, "", "export", "csv", "--dir", folder, "--environment", "test")
	exported := filepath.Join(folder, "export.yaml")
	require.NoError(t, os.WriteFile(exported, []byte("sink: csv\nenvironment: test\ndir: "+folder+"\n"), 0o600))
	told := b.feira(t, "", "audit", "--export", exported, "--report", report, "--key", key)
	require.Contains(t, told, "csv was asked")
	require.Contains(t, b.feira(t, "", "audit", "verify", report, "--key", key), "signed as of")
	files, err := filepath.Glob(filepath.Join(folder, "csv-*.csv"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.NoError(t, os.Remove(files[0]))
	require.NotEmpty(t, audit(exitFailed, "--export", exported).Asked[0].Differences)

	require.Contains(t, b.feira(t, "", "ledger", "quarantine", "tenant_acme"), "too_late")
	require.Contains(t, b.feira(t, "", "ledger", "replay"), "1 stay in quarantine")
	require.Contains(t, b.feira(t, "", "ledger", "replay", "--accept-untimely"), "1 booked")
	require.Contains(t, b.feira(t, "", "ledger", "verify"), "0 differences")

	db, err := sql.Open("sqlite", filepath.Join(b.dir, "ledger.db")+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), "DELETE FROM usage_rows WHERE number = 1")
	require.NoError(t, err)
	found = audit(exitFailed, "--patience", "0s")
	told = strings.Join(found.Tenants[0].Findings, "\n")
	require.Contains(t, told, "1 facts of the log have no row")
	require.Contains(t, told, "1 usage events are neither booked nor kept aside")
	require.NotEmpty(t, found.Ledger.Differences)
	require.Contains(t, found.Exports[0].Findings[0], "items were told")
	require.Equal(t, "numbers", found.Books.Findings[0].Check)
}

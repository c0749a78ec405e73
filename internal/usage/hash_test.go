package usage_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Ledgers hold hashes: what a row hashes to never changes.
func TestHashesStay(t *testing.T) {
	t.Parallel()
	amount, err := usage.ParseAmount("12.000000001")
	require.NoError(t, err)
	row := usage.Row{
		ID:    usage.ID{Tenant: "acme", Source: "/tenants/acme/sessions/ses_1", Event: "req_1/tool/1.0"},
		Meter: events.MeterToolCall, Session: "ses_1", Request: "req_1", Server: "asaas", Tool: "create_payment", Outcome: "ok",
		Billable: true, Environment: events.EnvironmentLive, Attempts: 2, Duration: 1234567 * time.Microsecond,
		Quantities: []usage.Quantity{{Unit: "call", Amount: usage.WholeAmount(1)}, {Unit: "gib", Amount: amount}},
		OccurredAt: time.Date(2026, time.November, 23, 12, 0, 0, 5, time.UTC),
		ReceivedAt: time.Date(2027, time.November, 23, 12, 0, 0, 5, time.UTC), Sequence: 7,
	}
	hashes := map[string]usage.Hash{"no metadata": row.Hash()}
	row.Metadata = map[string]string{"zone": "são paulo"}
	hashes["a pair"] = row.Hash()
	row.Metadata["order"] = "41"
	hashes["two pairs"] = row.Hash()
	hashes["a correction"] = usage.Correction{
		ID: usage.ID{Tenant: "acme", Source: "crm", Event: "fix-1"}, Kind: events.CorrectionVoid,
		Corrects: row.ID, Quantities: row.Quantities, Reason: "twice", OccurredAt: row.OccurredAt,
	}.Hash()
	got := map[string]string{}
	for name, hash := range hashes {
		got[name] = hex.EncodeToString(hash[:])
	}
	require.Equal(t, map[string]string{
		"no metadata":  "8d1469d3db82512ae46541cf1e4c548ae6f773c5a3a34c57af77a3d51b475ba0",
		"a pair":       "917ab760c4e4d7a70ab3bf64c2157f13160235c3e6766fb4df639eebc8a5e6a2",
		"two pairs":    "86a2a7a526aeecfe01dc89949fcf80b515d0289c496d1854ff19471116026df5",
		"a correction": "9562b0f4fb162357845d469cbb2f1e697d56655e615b5d11266c6b5d4b0f51df",
	}, got)
}

package providertest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// toolsOf is how many tools each provider has.
func toolsOf() map[string]int {
	return map[string]int{"stripe": 30, "asaas": 24, "melhor-envio": 18, "z-api": 27, "correios": 21, "nuvem-fiscal": 24}
}

func TestThereAre144Tools(t *testing.T) {
	t.Parallel()
	all, err := manifests()
	require.NoError(t, err)
	require.Len(t, toolsOf(), len(all))
	sum := 0
	for _, tools := range toolsOf() {
		sum += tools
	}
	require.Equal(t, 144, sum)
}

func TestEveryToolIsSentAsItsProviderDocumentsIt(t *testing.T) {
	t.Parallel()
	for server, tools := range toolsOf() {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server)
			require.Len(t, b.manifest.Tools, tools)
			called, traced := map[string]bool{}, map[string]bool{}
			for number, one := range readDialogue(t, server) {
				called[one.tool] = true
				traced[one.tool] = traced[one.tool] || strings.Contains(one.json, "${key}")
				b.check(t, one, number)
			}
			for _, spec := range b.manifest.Tools {
				require.True(t, called[spec.Name], "no example of %s", spec.Name)
				require.Equal(t, spec.Lookup != nil, traced[spec.Name], "%s: what is looked up carries the call's key", spec.Name)
			}
			require.Len(t, called, tools)
		})
	}
}

// check makes one call and holds everything about it to the dialogue.
func (b *testBundle) check(t *testing.T, one turn, number int) {
	t.Helper()
	b.elsewhere(t, one)
	call, from := b.begin(t, one, number), b.lines()
	result := b.client.Call(t.Context(), call)
	require.Equal(t, events.ToolOK, result.Status, "%s line %d: %s: %+v", b.server, one.line, one.tool, result.Fault)
	heard := b.took()
	require.Len(t, heard, 1, one.tool)
	b.checkRequest(t, one, heard[0])
	require.Equal(t, one.effects, b.effects(from), one.tool)
	b.checkKey(t, one, call)
	answer := heard[0].Answer
	if len(answer) == 0 { // The client puts the status into words.
		answer = []byte(result.Output)
	}
	b.checkAnswer(t, one, answer)
	b.save(t, one, heard[0].Answer)
}

// checkKey finds the call's key in the journal's last line, where the provider
// honours it or the effect carries it: by that the journal is held against the
// session log.
func (b *testBundle) checkKey(t *testing.T, one turn, call agent.Call) {
	t.Helper()
	if len(one.effects) == 0 {
		return
	}
	entries := b.sandbox.Journal().Entries(journal.Filter{Server: b.server, Account: tenant})
	last := entries[len(entries)-1]
	switch {
	case b.spec(t, one.tool).Safety == agent.SafetyKeyed:
		require.Equal(t, call.Key, last.Key, one.tool)
	case b.traced(t, one, call):
		require.Equal(t, call.Key, last.Reference, one.tool)
	}
}

func (b *testBundle) checkRequest(t *testing.T, one turn, got sandbox.Exchange) {
	t.Helper()
	require.Equal(t, one.method, got.Method, one.tool)
	require.Equal(t, b.base(t)+filled(t, one.path, b.saved), got.Path, one.tool)
	requireValues(t, filled(t, one.query, b.saved), got.Query)
	for name, value := range b.headers(t, one) {
		require.Equal(t, value, got.Header.Get(name), "%s: %s", one.tool, name)
	}
	if b.server == "correios" || b.server == "nuvem-fiscal" { // A token that the fake has given out.
		require.True(t, strings.HasPrefix(got.Header.Get("Authorization"), "Bearer eyJ"), one.tool)
	}
	switch {
	case one.hasForm:
		requireValues(t, filled(t, one.form, b.saved), string(got.Body))
	case one.hasJSON:
		require.Empty(t, cmp.Diff(parsed(t, []byte(filled(t, one.json, b.saved))), parsed(t, got.Body)), one.tool)
	default:
		require.Empty(t, string(got.Body), one.tool)
	}
}

// headers are those that matter, as the documentation of each provider has them.
func (b *testBundle) headers(t *testing.T, one turn) map[string]string {
	t.Helper()
	want := map[string]string{"Accept": "application/json", "User-Agent": "Feira (+https://github.com/feira-dev/feira)", "Content-Type": "", "Idempotency-Key": ""}
	switch {
	case one.hasForm:
		want["Content-Type"] = "application/x-www-form-urlencoded"
	case one.hasJSON:
		want["Content-Type"] = "application/json"
	}
	switch b.server {
	case "stripe":
		want["Authorization"], want["Stripe-Version"], want["Stripe-Account"] = "Bearer "+b.fields["secret_key"], "2026-08-26.dahlia", ""
		if one.method == http.MethodPost {
			want["Idempotency-Key"] = b.saved["key"]
		}
	case "asaas":
		want["Access_token"], want["Authorization"] = b.fields["api_key"], ""
	case "melhor-envio":
		want["Authorization"] = "Bearer " + b.fields["access_token"]
	case "z-api":
		want["Client-Token"], want["Authorization"] = b.fields["client_token"], ""
	}
	return want
}

func (b *testBundle) checkAnswer(t *testing.T, one turn, answer []byte) {
	t.Helper()
	schema, err := b.spec(t, one.tool).Returned()
	require.NoError(t, err)
	require.NoError(t, schema.Validate(parsed(t, answer)), "%s answered %s", one.tool, answer)
}

func requireValues(t *testing.T, want, got string) {
	t.Helper()
	wanted, err := url.ParseQuery(want)
	require.NoError(t, err)
	found, err := url.ParseQuery(got)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(wanted, found))
}

// parsed keeps numbers as they are written: 19.90 is not 19.9.
func parsed(t *testing.T, text []byte) any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err, "%s", text)
	return document
}

func TestAWrongCredentialReachesNothing(t *testing.T) {
	t.Parallel()
	for server := range toolsOf() {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			good := setup(t, server)
			b := setup(t, server)
			for name, value := range b.fields { // The client reads them anew for each call.
				if name != "posting_card" && name != "instance_id" && name != "client_id" && name != "user" {
					b.fields[name] = value[:len(value)-1] + "_"
				}
			}
			for number, one := range readDialogue(t, server) {
				good.check(t, one, number) // It learns the ids.
				b.saved = good.saved
				call := b.begin(t, one, number)
				result := b.client.Call(t.Context(), call)
				require.NotNil(t, result.Fault, one.tool)
				require.NotEqual(t, events.ToolOK, result.Status, one.tool)
				require.NotEqual(t, events.ToolUnknown, result.Status, one.tool)
				require.Contains(t, result.Fault.Message, "refuses the credential", one.tool)
			}
			require.Zero(t, b.lines())
		})
	}
}

// TestWhatIsAtStakeIsSaid holds the manifests to the list of section 4.7 of the
// provider reference: what moves money or cannot be taken back.
func TestWhatIsAtStakeIsSaid(t *testing.T) {
	t.Parallel()
	all, err := manifests()
	require.NoError(t, err)
	for _, one := range all {
		for _, spec := range one.Tools {
			grave := strings.HasPrefix(spec.Name, "create_payment") || strings.HasPrefix(spec.Name, "confirm_") || strings.HasPrefix(spec.Name, "send_") ||
				strings.HasPrefix(spec.Name, "create_n") && spec.Name != "create_notification" || strings.HasPrefix(spec.Name, "cancel_n")
			switch spec.Name {
			case "create_refund", "pay_invoice", "create_transfer", "refund_payment", "checkout_cart", "add_cart", "post_objects", "buy_label_range":
				grave = true
			}
			if grave {
				require.NotEmpty(t, spec.Stakes, "%s of %s", spec.Name, one.ID)
				require.NotEqual(t, agent.SafetyRead, spec.Safety, "%s of %s", spec.Name, one.ID)
			}
		}
	}
}

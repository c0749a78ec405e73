//go:build unix

package providertest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/testenv"
)

// root is the module's, from this folder.
const root = "../../.."

var listening = regexp.MustCompile(`Listening for HTTP at address: (127\.0\.0\.1:[0-9]+)`)

// TestStripeMockTakesEveryRequest sends the same dialogue to the fake, which
// makes the ids, and to stripe-mock, Stripe's own check of requests against its
// API description. That one knows no state: it judges names and types alone,
// and answers with examples, which have to fit the tools' schemas too.
func TestStripeMockTakesEveryRequest(t *testing.T) {
	t.Parallel()
	testenv.Require(t, "stripe-mock", func() error {
		said, err := exec.CommandContext(t.Context(), filepath.Join(root, ".ci", "tools"), "stripe-mock").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
	program, err := filepath.Abs(filepath.Join(root, ".bin", "stripe-mock"))
	require.NoError(t, err)
	// Without both addresses it opens a port to all the world.
	mock := testenv.Start(t, testenv.ChildParams{Path: program, Args: []string{"-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"}})
	address := mock.WaitForOutput(t, listening)[1]

	fakes := setup(t, "stripe")
	contract := stripeMock(t, fakes, address)
	called := map[string]bool{}
	for number, one := range readDialogue(t, "stripe") {
		fakes.check(t, one, number)
		result := contract.Call(t.Context(), fakes.begin(t, one, number))
		require.Equal(t, events.ToolOK, result.Status, "line %d: %s: %+v", one.line, one.tool, result.Fault)
		fakes.checkAnswer(t, one, []byte(result.Output))
		called[one.tool] = true
	}
	require.Len(t, called, 30)

	// It can refuse, as what connectors send shows: the coupon under its own name.
	for i := range fakes.manifest.Tools {
		if fakes.manifest.Tools[i].Name == "create_subscription" {
			fakes.manifest.Tools[i].Body = nil
		}
	}
	wrong := stripeMock(t, fakes, address)
	for number, one := range readDialogue(t, "stripe") {
		if one.tool == "create_subscription" {
			result := wrong.Call(t.Context(), fakes.begin(t, one, number))
			require.NotNil(t, result.Fault)
			require.Contains(t, result.Fault.Message, "answered 400")
		}
	}
}

// stripeMock is a client with the bundle's manifest that calls stripe-mock.
func stripeMock(t *testing.T, b *testBundle, address string) *provider.Client {
	t.Helper()
	client, err := provider.New(provider.Config{
		Manifests: []provider.Manifest{b.manifest}, Credentials: b.fields, BaseURLs: map[string]string{"stripe": "http://" + address + "/v1"},
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

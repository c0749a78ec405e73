package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/provider"
)

// What people ask for is found among all 144 tools, in both languages.
func TestDiscoverFindsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	manifests, err := provider.Embedded()
	require.NoError(t, err)
	client, err := provider.New(provider.Config{Credentials: credentials{}})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	offer, err := commerce.New(commerce.Config{Catalogue: client, Provider: client, Directory: newFairground(manifests), Now: time.Now})
	require.NoError(t, err)
	for query, wanted := range map[string]string{
		"charge a customer by pix":    "asaas__create_payment",
		"cobrar cliente por pix":      "asaas__create_payment",
		"track a package":             "correios__track_package",
		"rastrear encomenda":          "correios__track_package",
		"send whatsapp message":       "z-api__send_text",
		"enviar mensagem no whatsapp": "z-api__send_text",
		"refund a payment":            "asaas__refund_payment",
		"estornar pagamento":          "asaas__refund_payment",
		"issue invoice for a service": "nuvem-fiscal__create_nfse",
		"pay a supplier by pix key":   "codespar_pay",
		"consultar saldo da conta":    "asaas__get_balance",
		"cancel a subscription":       "asaas__cancel_subscription",
		"calcular frete":              "correios__calculate_shipping",
	} {
		arguments, err := json.Marshal(map[string]any{"use_case": query, "limit": 4})
		require.NoError(t, err)
		result := offer.Call(t.Context(), agent.Call{
			Server: agent.OwnServer, Tool: "codespar_discover", Arguments: arguments, Reach: agent.Reach{Servers: []string{"asaas", "correios", "z-api"}},
		})
		require.Equal(t, events.ToolOK, result.Status, query)
		type row struct {
			ToolName string `json:"tool_name"`
		}
		var found struct {
			Recommended *row
			Related     []row
		}
		require.NoError(t, json.Unmarshal([]byte(result.Output), &found))
		require.NotNil(t, found.Recommended, query)
		names := []string{found.Recommended.ToolName}
		for _, one := range found.Related {
			names = append(names, one.ToolName)
		}
		require.Contains(t, names, wanted, query)
	}
}

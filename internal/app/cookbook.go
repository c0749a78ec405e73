package app

import (
	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// cookbookTenants are the two customers of the cookbook that Feira began from.
func cookbookTenants() []tenant.Tenant {
	return []tenant.Tenant{
		{
			ID: "tenant_acme", Name: "Acme", Servers: []string{"stripe", "correios", "nuvem-fiscal"},
			Environment: events.EnvironmentTest, Concurrency: 4, Weight: 1,
			Instructions: "You run the shop of Acme: charge by card, ship by Correios, issue the invoice.",
			Metadata:     map[string]string{"tenant_id": "tenant_acme", "plan": "cards"},
		},
		{
			ID: "tenant_loja", Name: "Loja", Servers: []string{"asaas", "melhor-envio", "z-api"},
			Environment: events.EnvironmentTest, Concurrency: 4, Weight: 1,
			Instructions: "You run the shop of Loja: charge by Pix, ship by Melhor Envio, tell the customer on WhatsApp.",
			Metadata:     map[string]string{"tenant_id": "tenant_loja", "plan": "pix"},
			Webhooks: []tenant.WebhookRule{{
				Name: "paid", On: string(events.FactPaymentConfirmed), Server: "asaas", Session: tenant.SessionMaker,
				// No word of it asks for another charge.
				Message: "{object} was paid ({status}). Ship the order by Melhor Envio and notify the customer on WhatsApp.",
			}},
		},
	}
}

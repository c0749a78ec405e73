package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
)

// A demo that shows a fault fails, and says which.
func TestDemosAreJudged(t *testing.T) {
	t.Parallel()
	good := func() app.DemoReport {
		report := app.DemoReport{
			Model: app.OfflineModel, Audit: app.DemoAudit{OK: true}, Isolation: app.Isolation{Attempts: 10, Refused: 10},
			Payment: app.DemoPayment{Tenant: "loja", Sent: 2, Recorded: 1, Turns: 1, Shipments: 1, Messages: 2},
		}
		for _, event := range []string{"payment.confirmed", "shipment.posted", "message.delivered", "turn.completed"} {
			report.Payment.Deliveries = append(report.Payment.Deliveries, app.DemoDelivery{Event: event})
		}
		return report
	}
	require.NoError(t, judge(good()))
	for want, spoil := range map[string]func(*app.DemoReport){
		"1 requests were lost":          func(r *app.DemoReport) { r.Requests.Lost = 1 },
		"1 of 10 tries got through":     func(r *app.DemoReport) { r.Isolation.Refused = 9 },
		"audit found 3 differences":     func(r *app.DemoReport) { r.Audit = app.DemoAudit{Differences: 3} },
		"1 events came unverified":      func(r *app.DemoReport) { r.Payment.Unverified = 1 },
		"and 1 did not come":            func(r *app.DemoReport) { r.Payment.Missing = []string{"msg_1"} },
		"recorded 2 times":              func(r *app.DemoReport) { r.Payment.Recorded = 2 },
		"started 2 turns":               func(r *app.DemoReport) { r.Payment.Turns = 2 },
		"recorded 0 times":              func(r *app.DemoReport) { r.Payment.Recorded = 0 },
		"told 1 times":                  func(r *app.DemoReport) { r.Payment.Sent = 1 },
		"0 shipments":                   func(r *app.DemoReport) { r.Payment.Shipments = 0 },
		"1 messages":                    func(r *app.DemoReport) { r.Payment.Messages = 1 },
		"not told of payment.confirmed": func(r *app.DemoReport) { r.Payment.Deliveries = r.Payment.Deliveries[1:] },
		"its events count 1": func(r *app.DemoReport) {
			r.Tenants = []app.DemoTenant{{Invoice: app.DemoInvoice{Lines: []app.DemoInvoiceLine{{Quantity: "2", Traced: "1"}}}}}
		},
	} {
		report := good()
		spoil(&report)
		require.ErrorContains(t, judge(report), want)
	}
	own := good()
	own.Model, own.Payment.Shipments, own.Payment.Messages = "gpt", 0, 0
	require.NoError(t, judge(own), "what a real model sells is its own")
}

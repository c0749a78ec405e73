package app

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/tenant"
)

// tellGateway has the stand-ins of some tenants' providers send their webhooks to
// a gateway, at addresses that are made where there are none.
func (w *world) tellGateway(ctx context.Context, o *Operator, at string, tenants []tenant.Tenant) error {
	for _, customer := range tenants {
		for _, server := range customer.Servers {
			if _, attached := customer.Attachment(server); attached || !sandbox.Tells(server) {
				continue
			}
			url, lock, err := o.webhookAddress(ctx, customer, server, at)
			if err != nil {
				return err
			}
			if err := w.sandbox.Subscribe(server, string(customer.ID), sandbox.Webhook{URL: url, Key: lock.Keys[0].Text}); err != nil {
				return fmt.Errorf("having %s tell of %s: %w", server, customer.ID, err)
			}
		}
	}
	return nil
}

// tellAll has the stand-ins tell a gateway of all tenants, and of those that are
// registered from now on.
func (w *world) tellAll(ctx context.Context, k *kit, at string) error {
	o := &Operator{kit: k}
	tenants, err := o.Tenants(ctx)
	if err != nil {
		return err
	}
	w.gateway.Store(&at)
	return w.tellGateway(ctx, o, at, tenants)
}

// standIns is where the stand-ins are; empty without them.
func (w *world) standIns() string {
	if w.sandbox == nil {
		return ""
	}
	return w.sandbox.URL()
}

package app

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// paymentPace is how often the logs are looked at.
const paymentPace = 40 * time.Millisecond

// until looks until something is so. Nobody tells when a provider's webhook is
// on its way.
func (p *payment) until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	look := time.NewTicker(paymentPace)
	defer look.Stop()
	for {
		if done, err := so(ctx); done || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}

// served reports whether the payment's turn has ended. The provider tells of the
// payment once more as soon as it was heard.
func (p *payment) served(ctx context.Context) (bool, error) {
	if p.repeats == 0 && p.drained("asaas") && p.world.sandbox.Repeat("asaas", string(paidTenant)) {
		p.repeats++
	}
	s, err := p.look(ctx)
	return p.repeats > 0 && s.turns() > 0, err
}

// settled reports whether all that the providers told has been recorded, has
// been served and was told to the shop. What came twice is recorded once.
func (p *payment) settled(ctx context.Context) (bool, error) {
	s, err := p.look(ctx)
	if err != nil || !p.drained(p.customer.Servers...) || s.facts < p.sent(p.customer.Servers...)-p.repeats { // more is for the report to tell
		return false, err
	}
	for _, endings := range s.asked {
		if endings == 0 {
			return false, nil
		}
	}
	return len(p.ear.lacks(s.told)) == 0, nil
}

// drained reports whether nothing waits to be sent by some of the providers.
func (p *payment) drained(servers ...string) bool {
	for _, one := range p.world.sandbox.Webhooks() {
		if one.Account == string(paidTenant) && slices.Contains(servers, one.Server) && one.Waiting > 0 {
			return false
		}
	}
	return true
}

// sent counts the webhooks of some of the providers that the gateway took.
func (p *payment) sent(servers ...string) int {
	all := 0
	for _, one := range p.world.sandbox.Webhooks() {
		if one.Account == string(paidTenant) && slices.Contains(servers, one.Server) {
			all += one.Sent
		}
	}
	return all
}

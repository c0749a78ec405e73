package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/internal/webhook"
)

// Isolation counts the tries to get through a wall, and those that failed.
type Isolation struct {
	Attempts int `json:"attempts"`
	Refused  int `json:"refused"`
}

// raid is one tenant's try to get at another's.
type raid struct {
	from, at tenant.ID
	tool     string // of the other's provider
	server   string // of the other, whose credential is wanted
	paid     string // the server's word for a payment
	session  events.SessionID
}

// attempt is a try to get through one wall: it returns what refused it, nil
// when nothing did, and an error when the try itself could not be made.
type attempt struct {
	what string
	try  func(ctx context.Context) (refusal error, err error)
}

// tryWalls tries each wall from both sides.
func (d *demo) tryWalls(ctx context.Context) (Isolation, error) {
	d.Note("Now each tenant tries the walls of the other.")
	var result Isolation
	for _, r := range []raid{
		{from: "tenant_acme", at: "tenant_loja", tool: "asaas__get_balance", server: "asaas", paid: "PAYMENT_RECEIVED", session: "pedido-77"},
		{from: "tenant_loja", at: "tenant_acme", tool: "stripe__retrieve_balance", server: "stripe", paid: "payment_intent.succeeded", session: "order-1001"},
	} {
		intruder, err := d.producer(ctx, r.from)
		if err != nil {
			return result, err
		}
		for _, a := range d.attempts(intruder, r) {
			refusal, err := a.try(ctx)
			if err != nil {
				intruder.Close()
				return result, fmt.Errorf("%s: %w", a.what, err)
			}
			result.Attempts++
			verdict := "NOT REFUSED"
			if refusal != nil {
				result.Refused++
				verdict = "refused: " + refusal.Error()
			}
			d.Note(a.what + " -> " + verdict)
		}
		intruder.Close()
	}
	return result, nil
}

func (d *demo) attempts(intruder *bus.Bus, r raid) []attempt {
	return []attempt{
		{fmt.Sprintf("%s calls %s, a tool of %s's provider", r.from, r.tool, r.at), func(ctx context.Context) (error, error) {
			return d.callForeignTool(ctx, intruder, r)
		}},
		{fmt.Sprintf("%s gets the sealed %s credential of %s into its own vault and opens it", r.from, r.server, r.at), func(ctx context.Context) (error, error) {
			return d.openForeignCredential(ctx, r)
		}},
		{fmt.Sprintf("%s publishes into session %s of %s", r.from, r.session, r.at), func(ctx context.Context) (error, error) {
			return d.publishForeign(ctx, intruder, r)
		}},
		{fmt.Sprintf("%s listens to session %s of %s", r.from, r.session, r.at), func(ctx context.Context) (error, error) {
			err := intruder.Feed().Subscribe(ctx, r.at, r.session, func(events.Record) {})
			return onlyIf(err, bus.ErrForbidden)
		}},
		{fmt.Sprintf("%s tells the gateway, as if it were %s, that a customer of %s has paid", r.from, r.server, r.at), func(ctx context.Context) (error, error) {
			return d.forgePayment(ctx, r)
		}},
	}
}

// forgePayment sends to the other's address, which is no secret, what its
// provider would; but signs with a key of its own.
func (d *demo) forgePayment(ctx context.Context, r raid) (refusal error, err error) {
	customer, err := d.operator.Tenant(ctx, r.at)
	if err != nil {
		return nil, err
	}
	at, lock, err := d.operator.webhookAddress(ctx, customer, r.server, d.http)
	if err != nil {
		return nil, err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	now := d.operator.kit.now()
	body, err := webhook.Sample(r.server, webhook.SampleParams{ID: "evt_forged", Kind: r.paid, Object: "pay_forged", Status: "RECEIVED", At: now})
	if err != nil {
		return nil, err
	}
	lock.Keys = []webhook.Key{{Text: lock.Scheme.NewKey(random)}}
	status, err := deliver(ctx, at, webhook.Sign(lock, "evt_forged", body, now), body)
	if err != nil || status == http.StatusOK {
		return nil, err
	}
	return fmt.Errorf("the gateway answers %d", status), nil
}

// callForeignTool asks, as a request like any other, for a tool of a server
// that the session does not have.
func (d *demo) callForeignTool(ctx context.Context, intruder *bus.Bus, r raid) (refusal error, err error) {
	params := events.RequestParams{Tenant: r.from, Kind: events.KindCall}
	sent, err := d.publish(ctx, intruder, params, events.Request{Tool: r.tool, Arguments: []byte(`{}`)})
	if err != nil {
		return nil, err
	}
	if err := d.await(ctx); err != nil {
		return nil, err
	}
	broker, err := d.operator.kit.broker(ctx)
	if err != nil {
		return nil, err
	}
	log, err := broker.Log().Read(ctx, sent.Tenant, sent.Session, 0)
	if err != nil {
		return nil, err
	}
	for _, record := range log {
		if end, ok := record.Event.(*events.TurnCompleted); ok && end.Status == events.TurnRejected {
			return errors.New(end.Reason), nil
		}
	}
	return nil, nil
}

// openForeignCredential plays somebody who can write the vault's bucket: the
// other's ciphertext is put where the intruder's own would be.
func (d *demo) openForeignCredential(ctx context.Context, r raid) (refusal error, err error) {
	kv, err := d.operator.kit.buckets(ctx)
	if err != nil {
		return nil, err
	}
	store, err := kv.Vault(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := d.operator.kit.credentials(ctx)
	if err != nil {
		return nil, err
	}
	names, err := store.List(ctx, string(r.at)+".")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.Contains(name, r.server) {
			continue
		}
		sealed, _, err := store.Load(ctx, name)
		if err != nil {
			return nil, err
		}
		planted := string(r.from) + strings.TrimPrefix(name, string(r.at))
		if err := store.Save(ctx, planted, sealed, 0); err != nil {
			return nil, err
		}
		_, refusal = keys.Open(ctx, r.from, r.server, events.EnvironmentTest, vault.Purpose{Why: "demo"})
		refusal, err = onlyIf(refusal, vault.ErrSealed)
		return refusal, errors.Join(err, store.Delete(ctx, planted))
	}
	return nil, fmt.Errorf("%s has no credential for %s to steal", r.at, r.server)
}

// publishForeign bypasses every check of Feira's own client: the broker itself
// must refuse.
func (d *demo) publishForeign(ctx context.Context, intruder *bus.Bus, r raid) (refusal error, err error) {
	message, err := events.NewRequest(events.RequestParams{Tenant: r.at, Session: r.session}, events.Request{Message: "What is the balance now?"})
	if err != nil {
		return nil, err
	}
	_, err = intruder.Requests().Publish(ctx, message)
	return onlyIf(err, bus.ErrForbidden)
}

// onlyIf counts an error as a refusal only when it is of the kind that the
// wall gives; any other is a fault of the demo.
func onlyIf(got, wall error) (refusal error, err error) {
	if got == nil || errors.Is(got, wall) {
		return got, nil
	}
	return nil, got
}

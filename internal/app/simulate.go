package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// simulateTime bounds the sending of a simulated webhook.
const simulateTime = 15 * time.Second

// ErrNotSimulated occurs when a webhook cannot be simulated, or the gateway does
// not take it in.
var ErrNotSimulated = errors.New("the webhook was not taken in")

// SimulateParams say what a provider is to have told.
type SimulateParams struct {
	Tenant tenant.ID
	Server string
	// Gateway is where it is sent to, as http://127.0.0.1:8080.
	Gateway string
	// Kind is the provider's own name of what happened.
	Kind string
	// Object and Status are of what it happened to.
	Object string
	Status string
	// ID is the event's; the same one again is known. Defaults to a fresh one.
	ID string
}

// Simulated is a webhook that was taken in.
type Simulated struct {
	Connection string `json:"connection"`
	Event      string `json:"event"`
	Status     int    `json:"status"`
}

// Simulate sends a webhook to a test tenant's address, signed as the provider
// signs, and makes the address where there is none.
func (o *Operator) Simulate(ctx context.Context, params SimulateParams) (Simulated, error) {
	customer, err := o.Tenant(ctx, params.Tenant)
	if err != nil {
		return Simulated{}, err
	}
	if customer.Environment != events.EnvironmentTest {
		return Simulated{}, fmt.Errorf("%w: tenant %s is %s, and only test tenants are told what did not happen", ErrNotSimulated, customer.ID, customer.Environment)
	}
	if !slices.Contains(customer.Servers, params.Server) {
		return Simulated{}, fmt.Errorf("%w: tenant %s has no server %q; it has %v", ErrNotSimulated, customer.ID, params.Server, customer.Servers)
	}
	at, lock, err := o.webhookAddress(ctx, customer, params.Server, params.Gateway)
	if err != nil {
		return Simulated{}, err
	}
	if params.ID == "" {
		params.ID = "evt_" + strings.ToLower(rand.Text())
	}
	now := o.kit.now()
	body, err := webhook.Sample(params.Server, webhook.SampleParams{ID: params.ID, Kind: params.Kind, Object: params.Object, Status: params.Status, At: now})
	if err != nil {
		return Simulated{}, err
	}
	sent := Simulated{Connection: gateway.ConnectionID(customer.ID, params.Server, customer.Environment), Event: params.ID}
	sent.Status, err = deliver(ctx, at, webhook.Sign(lock, params.ID, body, now), body)
	if err != nil {
		return Simulated{}, err
	}
	if sent.Status != http.StatusOK {
		return sent, fmt.Errorf("%w: the gateway answers %d", ErrNotSimulated, sent.Status)
	}
	return sent, nil
}

// webhookAddress is where a server sends a tenant's webhooks at a gateway, and how
// it signs them. Where the server signs nothing, the address is the secret.
func (o *Operator) webhookAddress(ctx context.Context, customer tenant.Tenant, server, at string) (string, webhook.Lock, error) {
	address, err := o.addressFor(ctx, customer, server)
	if err != nil {
		return "", webhook.Lock{}, err
	}
	at = strings.TrimRight(at, "/") + "/v1/webhooks/" + server + "/" + gateway.ConnectionID(customer.ID, server, customer.Environment)
	if address.Lock.Scheme == webhook.SchemePath {
		at += "." + address.Lock.Keys[0].Text
	}
	return at, address.Lock, nil
}

func (o *Operator) addressFor(ctx context.Context, customer tenant.Tenant, server string) (gateway.Address, error) {
	held, found, err := addresses{o}.Address(ctx, customer, server)
	if err != nil || found {
		return held, err
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return gateway.Address{}, err
	}
	scheme := webhook.SchemeOf(server)
	made := gateway.Address{Lock: webhook.Lock{Scheme: scheme, Keys: []webhook.Key{{Text: scheme.NewKey(random)}}}, CreatedAt: o.kit.now().UTC()}
	return made, addresses{o}.Put(ctx, customer, server, made)
}

// deliver posts a body. An error does not repeat the address: its path may hold
// a secret.
func deliver(ctx context.Context, at string, header map[string]string, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, simulateTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("%w: the gateway's address cannot be read", ErrNotSimulated)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%w: the gateway cannot be reached", ErrNotSimulated)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body) // the status says it all
	return answer.StatusCode, nil
}

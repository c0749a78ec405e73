package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/proxy"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/upkeep"
)

// checked is the server whose webhooks are looked after: the others say nothing
// of how they stand.
const checked = "asaas"

// selfcheck makes the part of upkeep that looks after webhooks.
func (k *kit) selfcheck(ctx context.Context, keys *vault.Vault, client *provider.Client) (*upkeep.Selfcheck, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	observer, err := k.watchWebhooks()
	if err != nil {
		return nil, err
	}
	return upkeep.NewSelfcheck(upkeep.SelfcheckConfig{
		Connections: &told{vault: keys, since: map[string]time.Time{}}, Inspector: asaasDesk{client}, Post: broker.Webhooks(), Observer: observer,
		Every: k.cfg.Upkeep.Selfcheck, Pace: k.cfg.Upkeep.Pace, Resume: k.cfg.Upkeep.Resume, Logger: k.log, Now: k.now,
	})
}

// told are the connections that have an address.
type told struct {
	vault *vault.Vault

	mu sync.Mutex
	// since is when addresses were made, by connection and version: it lies sealed
	// with the rest of an address, which is not opened at every look.
	since map[string]time.Time
}

// Watched implements [upkeep.Connections].
func (t *told) Watched(ctx context.Context, each func(upkeep.Connection) error) error {
	return t.vault.Survey(ctx, []string{addressPrefix + checked}, func(owner events.TenantID, entry vault.Entry) error {
		one := upkeep.Connection{
			ID: gateway.ConnectionID(owner, checked, entry.Environment), Tenant: owner, Server: checked, Environment: entry.Environment,
		}
		one.Since = t.madeAt(ctx, one, entry)
		return each(one)
	})
}

// madeAt is when an address was made; where that cannot be read, when it was
// last written.
func (t *told) madeAt(ctx context.Context, one upkeep.Connection, entry vault.Entry) time.Time {
	key := fmt.Sprintf("%s %d", one.ID, entry.Version)
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.since[key]; ok {
		return at
	}
	opened, err := t.vault.Open(ctx, one.Tenant, entry.Server, one.Environment, vault.Purpose{Why: "age of a webhook address"})
	if err != nil {
		return entry.UpdatedAt // it may be opened at the next look
	}
	text, _ := opened.Reveal(fieldCreated)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at = entry.UpdatedAt
	}
	t.since[key] = at
	return at
}

// asaasDesk asks Asaas, in the tenant's lane and with the tenant's credential.
type asaasDesk struct{ client *provider.Client }

// Bounds of a look at an account's payments.
const (
	findingsPage  = 50
	findingsPages = 10
)

// Queue implements [upkeep.Inspector]: of the account's webhooks, the one whose
// URL is our address.
func (d asaasDesk) Queue(ctx context.Context, one upkeep.Connection) (upkeep.Queue, error) {
	output, err := d.ask(ctx, one, "list_notifications", map[string]any{})
	if err != nil {
		return upkeep.Queue{}, err
	}
	var listed struct {
		Data []struct {
			ID          string   `json:"id"`
			URL         string   `json:"url"`
			Enabled     bool     `json:"enabled"`
			Interrupted bool     `json:"interrupted"`
			Penalized   int      `json:"penalizedRequestsCount"`
			Events      []string `json:"events"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(output), &listed); err != nil {
		return upkeep.Queue{}, fmt.Errorf("%w: webhooks", webhook.ErrUnreadable)
	}
	for _, hook := range listed.Data {
		if hook.Enabled && strings.HasSuffix(hook.URL, "/v1/webhooks/"+checked+"/"+one.ID) {
			return upkeep.Queue{ID: hook.ID, Interrupted: hook.Interrupted, Refused: hook.Penalized, Events: hook.Events}, nil
		}
	}
	return upkeep.Queue{}, upkeep.ErrNoQueue
}

// Resume implements [upkeep.Inspector]. No tool does that: a model has no
// business with it.
func (d asaasDesk) Resume(ctx context.Context, one upkeep.Connection, queue upkeep.Queue) error {
	_, err := d.ask(ctx, one, proxy.ToolOf("PUT"), map[string]any{"endpoint": "/webhooks/" + queue.ID, "body": map[string]any{"interrupted": false}})
	return err
}

// Findings implements [upkeep.Inspector].
func (d asaasDesk) Findings(ctx context.Context, one upkeep.Connection) ([]webhook.Finding, error) {
	var all []webhook.Finding
	for page := range findingsPages {
		output, err := d.ask(ctx, one, "list_payments", map[string]any{"limit": findingsPage, "offset": page * findingsPage})
		if err != nil {
			return nil, err
		}
		found, more, err := webhook.FindingsOf(output)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if !more {
			break
		}
	}
	return all, nil
}

func (d asaasDesk) ask(ctx context.Context, one upkeep.Connection, tool string, arguments map[string]any) (string, error) {
	text, err := json.Marshal(arguments)
	if err != nil {
		return "", err
	}
	ctx = context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: "self-check of webhooks", Tool: tool})
	customer := tenant.Tenant{ID: one.Tenant, Servers: []string{one.Server}, Environment: one.Environment}
	result := d.client.Call(ctx, agent.Call{
		Tenant: one.Tenant, Environment: one.Environment, Server: one.Server, Tool: tool, Arguments: text,
		Reach: agent.Reach{Tenant: customer, Environment: one.Environment, Servers: customer.Servers, Opened: customer.Servers, Direct: true},
	})
	if result.Status != events.ToolOK {
		return "", fmt.Errorf("asking %s by %s: %s: %s", one.Server, tool, result.Fault.Code, result.Fault.Message)
	}
	return result.Output, nil
}

// webhookObserver shows Prometheus how the self-check goes.
type webhookObserver struct {
	stopped, failing prometheus.Gauge
	found            prometheus.Counter
}

func (k *kit) watchWebhooks() (*webhookObserver, error) {
	o := &webhookObserver{
		stopped: prometheus.NewGauge(prometheus.GaugeOpts{Name: "feira_webhook_queues_interrupted", Help: "Connections whose provider has stopped sending webhooks."}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "feira_webhook_queues_failing", Help: "Connections whose provider is about to stop sending webhooks."}),
		found:   prometheus.NewCounter(prometheus.CounterOpts{Name: "feira_webhook_events_found_total", Help: "Events that were found by listing, and fed in; most were told as well."}),
	}
	return o, k.register("webhooks", o.stopped, o.failing, o.found)
}

// Stands implements [upkeep.SelfcheckObserver].
func (o *webhookObserver) Stands(interrupted, failing int) {
	o.stopped.Set(float64(interrupted))
	o.failing.Set(float64(failing))
}

// Found implements [upkeep.SelfcheckObserver].
func (o *webhookObserver) Found(n int) { o.found.Add(float64(n)) }

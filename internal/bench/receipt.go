package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// receiptTenants are those whose provider sends webhooks.
const receiptTenants = 50

// Webhooks is how providers' webhooks are taken in: signed as Stripe signs, from
// before each is sent over HTTP to its 200, which the gateway gives when the
// broker has stored it.
type Webhooks struct {
	P50     float64 `json:"webhook_receipt_p50_ms"`
	P99     float64 `json:"webhook_receipt_p99_ms"`
	Samples int     `json:"samples"`
	// Raw is the same webhook published without HTTP or signature.
	RawP50     float64 `json:"raw_publish_p50_ms"`
	RawP99     float64 `json:"raw_publish_p99_ms"`
	RawSamples int     `json:"raw_samples"`
	P50Ratio   float64 `json:"p50_ratio"`
	// ReceiptsPerSecond is of many senders that each send again when they have
	// their answer: the median of the rounds.
	ReceiptsPerSecond float64   `json:"webhook_receipts_per_second"`
	ReceiptsAll       []float64 `json:"webhook_receipts_per_second_all"`
}

// hooked is a gateway with the addresses of the tenants' webhooks, and the secret
// with which their provider signs. It is safe for concurrent use.
type hooked struct {
	*door

	paths []string
	lock  webhook.Lock
	next  atomic.Int64
}

// receive measures the receipt of webhooks at a steady pace and at full speed.
func receive(ctx context.Context, w *world, report *Report) error {
	w.settle(receiptTenants, tenant.MaxConcurrency)
	h, err := w.hooked(ctx)
	if err != nil {
		return err
	}
	result := &Webhooks{}
	raw, err := w.visits(ctx, "raw: published", w.hooking(h.publish(w)))
	if err != nil {
		return err
	}
	taken, err := w.visits(ctx, "webhook receipt", w.hooking(h.send))
	if err != nil {
		return err
	}
	err = w.rounds(func() error {
		rate, err := w.received(ctx, h)
		result.ReceiptsAll = append(result.ReceiptsAll, rate)
		return err
	})
	if err != nil {
		return err
	}
	result.P50, result.P99, result.Samples = milliseconds(taken, 0.5), milliseconds(taken, 0.99), len(taken)
	result.RawP50, result.RawP99, result.RawSamples = milliseconds(raw, 0.5), milliseconds(raw, 0.99), len(raw)
	result.P50Ratio = ratio(result.P50, result.RawP50)
	result.ReceiptsPerSecond = median(result.ReceiptsAll)
	report.Webhooks = result
	report.traces.webhooks = []waits{{"Feira", taken}, {"without HTTP", raw}}
	return nil
}

// hooked starts the gateway, connects every tenant's Stripe, and has what comes
// taken away, as a router would, by somebody who does nothing with it.
func (w *world) hooked(ctx context.Context) (*hooked, error) {
	entrance, err := w.gateway(ctx)
	if err != nil {
		return nil, err
	}
	taker, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	router, err := taker.NewBatches(bus.BatchConfig{
		Stream: events.StreamWebhooks, Durable: events.DurableWebhooks, Logger: w.config.Logger,
		Handler: func(context.Context, []events.Message) error { return nil },
	})
	if err != nil {
		return nil, err
	}
	if err := w.start(ctx, router); err != nil {
		return nil, err
	}
	secret := "whsec_" + rand.Text()
	h := &hooked{
		door: entrance, paths: make([]string, len(w.tenants)),
		lock: webhook.Lock{Scheme: webhook.SchemeStripe, Keys: []webhook.Key{{Text: secret}}},
	}
	return h, each(ctx, len(w.tenants), func(ctx context.Context, i int) error {
		var connection struct {
			ID string `json:"id"`
		}
		err := entrance.ask(ctx, "/v1/connections", map[string]string{
			"user_id": string(w.tenants[i].ID), "server_id": "stripe", "secret": "sk_test_" + rand.Text(),
		}, &connection)
		if err != nil {
			return err
		}
		var address struct {
			Path string `json:"path"`
		}
		err = entrance.ask(ctx, "/v1/connections/"+connection.ID+"/webhook", map[string]string{"secret": secret}, &address)
		h.paths[i] = address.Path
		return err
	})
}

// ask is [door.post] with its answer read.
func (d *door) ask(ctx context.Context, path string, body, into any) error {
	answer, err := d.post(ctx, path, "", body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("reading what %s answers: %w", path, err)
	}
	return nil
}

// hooking makes visits of webhooks, which have no session.
func (w *world) hooking(one func(ctx context.Context) (time.Duration, error)) func(context.Context, int) ([]events.SessionID, visitFunc, error) {
	return func(_ context.Context, n int) ([]events.SessionID, visitFunc, error) {
		return make([]events.SessionID, n), func(ctx context.Context, _ events.SessionID) (time.Duration, error) {
			ctx, cancel := context.WithTimeout(ctx, w.config.Patience)
			defer cancel()
			return one(ctx)
		}, nil
	}
}

func (h *hooked) event() (n int, body []byte) {
	n = int(h.next.Add(1))
	return n, fmt.Appendf(nil, `{"id":"evt_%d","type":"payment_intent.succeeded","created":%d,"data":{"object":{"id":"pi_%d","status":"succeeded"}}}`,
		n, time.Now().Unix(), n)
}

// send has a provider send a webhook that nobody has sent before, and returns how
// long its 200 took. Anything else is an error.
func (h *hooked) send(ctx context.Context) (time.Duration, error) {
	n, body := h.event()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.at+h.paths[n%len(h.paths)], bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a webhook: %w", err)
	}
	for name, value := range webhook.Sign(h.lock, "", body, time.Now()) {
		request.Header.Set(name, value)
	}
	begun := time.Now()
	answer, err := h.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("sending a webhook: %w", err)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	took := time.Since(begun)
	_ = answer.Body.Close()
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: a webhook is answered %s", ErrUnserved, answer.Status)
	}
	return took, err
}

// publish is what the gateway does with a webhook in the end.
func (h *hooked) publish(w *world) func(ctx context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		n, body := h.event()
		begun := time.Now()
		err := w.bus.Webhooks().Publish(ctx, events.Webhook{
			Tenant: w.tenants[n%len(w.tenants)].ID, Server: "stripe", Connection: "conn_raw", Received: begun, Body: body,
		})
		return time.Since(begun), err
	}
}

// received measures webhooks of senders that each send the next when they have
// their answer.
func (w *world) received(ctx context.Context, h *hooked) (float64, error) {
	n := max(w.config.Turns/sendsOfTurns, visitors)
	begun := time.Now()
	group, sending := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range visitors {
		group.Go(func() error {
			for next.Add(1) <= int64(n) {
				if _, err := h.send(sending); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	rate := perSecond(n, time.Since(begun))
	w.say("%.0f webhooks taken in a second, of %d senders", rate, visitors)
	return rate, nil
}

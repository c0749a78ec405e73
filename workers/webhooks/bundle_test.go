package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/workers/webhooks"
)

var errBoom = errors.New("boom")

// testBundle is a worker at a real broker, whose ports may be made to fail
// behind what they do, as a crash does.
type testBundle struct {
	broker   *bus.Bus
	worker   *webhooks.Worker
	index    *webhooks.Index
	tenants  *directory
	requests *tally
	asker    *whatsApp
	// boom says whether the next act fails after it was done.
	boom *boom
	// offset moves the worker's clock.
	offset atomic.Int64
	// behind is how far the index has come; nil: to the end. looks counts who asks.
	behind atomic.Pointer[time.Time]
	looks  atomic.Int64
}

func (b *testBundle) now() time.Time { return time.Now().Add(time.Duration(b.offset.Load())) }

// Learned implements [webhooks.Progress].
func (b *testBundle) Learned(context.Context) (time.Time, error) {
	b.looks.Add(1)
	if behind := b.behind.Load(); behind != nil {
		return *behind, nil
	}
	return b.now(), nil
}

// boom fails acts after they were done.
type boom struct {
	mu    sync.Mutex
	every int // 0: never
	count int
}

func (b *boom) after(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	if err == nil && b.every > 0 && b.count%b.every == 0 {
		return errBoom
	}
	return err
}

type directory struct {
	mu  sync.Mutex
	all map[tenant.ID]tenant.Tenant
}

func (d *directory) Lookup(_ context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.all[id]
	return found, ok, nil
}

func (d *directory) put(customer tenant.Tenant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[customer.ID] = customer.WithDefaults()
}

// tally remembers what was asked for.
type tally struct {
	*bus.Requests

	boom *boom
	mu   sync.Mutex
	made []events.Message
}

func (r *tally) Publish(ctx context.Context, message events.Message) (uint64, error) {
	sequence, err := r.Requests.Publish(ctx, message)
	if err == nil {
		r.mu.Lock()
		r.made = append(r.made, message)
		r.mu.Unlock()
	}
	return sequence, r.boom.after(err)
}

func (r *tally) all() []events.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]events.Message(nil), r.made...)
}

// wreckedLog loses answers.
type wreckedLog struct {
	*bus.Log

	boom *boom
}

func (l wreckedLog) Append(ctx context.Context, entry session.Entry) (uint64, error) {
	sequence, err := l.Log.Append(ctx, entry)
	if booms := l.boom.after(err); booms != nil && err == nil {
		return 0, fmt.Errorf("%w: %w", session.ErrUncertain, booms)
	}
	return sequence, err
}

type records struct {
	*natskv.Records

	boom *boom
}

func (r records) Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	saved, err := r.Records.Save(ctx, key, value, revision)
	if errors.Is(err, natskv.ErrConflict) {
		return 0, fmt.Errorf("%w: %w", webhooks.ErrMoved, err)
	}
	return saved, r.boom.after(err)
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	server := testenv.NATS(t)
	quiet := slog.New(slog.DiscardHandler)
	broker, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	_, err = broker.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	kv, err := natskv.Connect(t.Context(), natskv.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(kv.Close)
	inbox, err := kv.Records(t.Context(), events.BucketInbox)
	require.NoError(t, err)
	objects, err := kv.Records(t.Context(), events.BucketObjects)
	require.NoError(t, err)
	b := &testBundle{broker: broker, asker: &whatsApp{}, boom: &boom{}, tenants: &directory{all: map[tenant.ID]tenant.Tenant{}}}
	b.requests = &tally{Requests: broker.Requests(), boom: b.boom}
	b.worker, err = webhooks.New(webhooks.Config{
		Log: wreckedLog{broker.Log(), b.boom}, Requests: b.requests, Cemetery: broker.Dead(), Tenants: b.tenants,
		Inbox: records{inbox, b.boom}, Objects: records{objects, b.boom}, Logger: quiet, Grace: time.Minute,
		Asker: b.asker, Progress: b,
		Now: b.now,
	})
	require.NoError(t, err)
	b.index, err = webhooks.NewIndex(webhooks.IndexConfig{
		Objects: records{objects, &boom{}}, Logger: quiet, Makes: func(_, tool string) bool { return tool != "get_payment" },
		References: func(server, tool, key string) []webhooks.Reference {
			if tool == "codespar_charge" {
				return []webhooks.Reference{{Server: "stripe", Text: "s_" + key}, {Server: "asaas", Text: "a_" + key}}
			}
			return []webhooks.Reference{{Server: server, Text: key}}
		},
	})
	require.NoError(t, err)
	return b
}

// webhook is a delivery of asaas's about a payment; received long enough ago
// that nobody is waited for.
func webhook(id events.TenantID, event, object, at string) events.Webhook {
	body := `{"id":"` + event + `","event":"PAYMENT_RECEIVED","dateCreated":"` + at + `","payment":{"id":"` + object + `","status":"RECEIVED","billingType":"PIX"}}`
	return events.Webhook{Tenant: id, Server: "asaas", Connection: "ca_" + string(id), Received: time.Now().Add(-time.Hour), Body: []byte(body)}
}

// hand gives webhooks to the worker as one batch, again and again until all are
// done, as the bus does.
func (b *testBundle) hand(t *testing.T, sent ...events.Webhook) {
	t.Helper()
	batch := make([]webhooks.Delivery, len(sent))
	for i, one := range sent {
		batch[i] = webhooks.Delivery{Message: one.Message(), Count: 1}
		batch[i].Sequence = uint64(i + 1)
	}
	for range 500 {
		var again []webhooks.Delivery
		for i, err := range b.worker.Handle(t.Context(), batch) {
			if err != nil {
				again = append(again, batch[i])
			}
		}
		if len(again) == 0 {
			return
		}
		batch = again
	}
	require.Fail(t, "they never come to an end")
}

// told are the webhook facts of a session.
func (b *testBundle) told(t *testing.T, id events.TenantID, ses events.SessionID) []*events.WebhookReceived {
	t.Helper()
	log, err := b.broker.Log().Load(t.Context(), id, ses)
	require.NoError(t, err)
	state := session.New(id, ses)
	require.NoError(t, state.ApplyAll(log))
	var found []*events.WebhookReceived
	for i, record := range log {
		if i == 0 {
			require.Equal(t, events.TypeSessionOpened, record.Type, "a session begins with its opening")
		}
		if event, ok := record.Event.(*events.WebhookReceived); ok {
			found = append(found, event)
		}
	}
	return found
}

// everything are the webhook facts of all sessions of a tenant.
func (b *testBundle) everything(t *testing.T, id events.TenantID) []*events.WebhookReceived {
	t.Helper()
	sessions, err := b.broker.Log().Sessions(t.Context(), id)
	require.NoError(t, err)
	var found []*events.WebhookReceived
	for _, ses := range sessions {
		found = append(found, b.told(t, id, ses)...)
	}
	return found
}

// asked are the ids of the requests that were made, each with how often.
func (b *testBundle) asked(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, message := range b.requests.all() {
		head, err := events.ParseRequestHead(message, len(message.Data))
		require.NoError(t, err)
		found[string(head.Tenant)+" "+string(head.Session)+" "+string(head.ID)]++
	}
	return found
}

// pay has a session of ours make a payment.
func (b *testBundle) pay(t *testing.T, id events.TenantID, ses events.SessionID, object string) {
	t.Helper()
	var last uint64
	for i, event := range []events.Event{
		&events.SessionOpened{Servers: []string{"asaas"}, Environment: events.EnvironmentTest},
		&events.TurnStarted{Kind: events.KindCall, Attempt: 1, Worker: "w", RequestSequence: 1, Call: &events.CallRequested{Tool: "asaas__create_payment", Arguments: []byte("{}")}},
		&events.ToolReturned{CallID: "c", Name: "asaas__create_payment", Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Output: `{"id":"` + object + `"}`, Attempts: 1},
		&events.TurnCompleted{RequestSequence: 1, Status: events.TurnCompletedOK},
	} {
		env := events.Envelope{ID: strconv.Itoa(i), Source: events.SessionSource(id, ses), Time: time.Now(), Tenant: id, Session: ses, Request: "req_1"}
		var err error
		last, err = b.broker.Log().Append(t.Context(), session.Entry{Envelope: env, Event: event, Last: last})
		require.NoError(t, err)
		message, err := events.Encode(events.SessionSubject(id, ses), env, event)
		require.NoError(t, err)
		require.NoError(t, b.index.Handle(t.Context(), []events.Message{message}))
	}
}

// log writes facts into a session's log and has the index learn of them.
func (b *testBundle) log(t *testing.T, id events.TenantID, ses events.SessionID, facts ...events.Event) {
	t.Helper()
	last, err := b.broker.Log().Last(t.Context(), id, ses)
	require.NoError(t, err)
	for _, event := range facts {
		env := events.Envelope{ID: session.EventID("req_1", event), Source: events.SessionSource(id, ses), Time: time.Now(), Tenant: id, Session: ses, Request: "req_1"}
		last, err = b.broker.Log().Append(t.Context(), session.Entry{Envelope: env, Event: event, Last: last})
		require.NoError(t, err)
		message, err := events.Encode(events.SessionSubject(id, ses), env, event)
		require.NoError(t, err)
		require.NoError(t, b.index.Handle(t.Context(), []events.Message{message}))
	}
}

package webhooks_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	provider "github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/webhooks"
)

// whatsApp answers what is asked of a chat, or fails.
type whatsApp struct {
	mu     sync.Mutex
	answer string
	err    error
	asked  []provider.Question
	whose  []tenant.ID
}

func (a *whatsApp) Ask(_ context.Context, customer tenant.Tenant, question provider.Question) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.whose = append(a.asked, question), append(a.whose, customer.ID)
	return a.answer, a.err
}

func (a *whatsApp) becomes(answer string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer, a.err = answer, err
}

func (a *whatsApp) times() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

const saysHello = `[{"messageId":"M1","phone":"5511987654321","fromMe":false,"text":{"message":"hello"}}]`

// written is a message that somebody is said to have written.
func written(id string) events.Webhook {
	return events.Webhook{
		Tenant: "acme", Server: "z-api", Connection: "ca_zapi", Unsigned: true, Received: time.Now(),
		Body: []byte(`{"type":"ReceivedCallback","messageId":"` + id + `","phone":"5511987654321","fromMe":false,"text":{"message":"hello"}}`),
	}
}

func talking(rules ...tenant.WebhookRule) tenant.Tenant {
	return tenant.Tenant{ID: "acme", Servers: []string{"z-api"}, Webhooks: rules}
}

func hears() tenant.WebhookRule {
	return tenant.WebhookRule{On: "message.received", Session: tenant.SessionObject, Message: "A customer writes."}
}

// handOne gives one webhook to the worker once.
func (b *testBundle) handOne(t *testing.T, sent events.Webhook) error {
	t.Helper()
	return b.worker.Handle(t.Context(), []webhooks.Delivery{{Message: sent.Message(), Count: 1}})[0]
}

func (b *testBundle) grownUp() { b.offset.Store(int64(5 * time.Minute)) }

func TestWhatNobodySignedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer string
		err    error
		want   bool
	}{
		"the provider says the same":   {saysHello, nil, true},
		"it knows of no such message":  {`[]`, nil, false},
		"it says something else":       {`[{"messageId":"M1","fromMe":false,"text":{"message":"pay me"}}]`, nil, false},
		"it cannot be asked":           {"", webhooks.ErrNoAnswer, false},
		"its answer cannot be read":    {"<html>", nil, false},
		"it answers with no list":      {`{"messageId":"M1"}`, nil, false},
		"it says that the shop did so": {`[{"messageId":"M1","fromMe":true,"text":{"message":"hello"}}]`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.tenants.put(talking(hears()))
			b.asker.becomes(row.answer, row.err)
			b.grownUp()
			for range 2 {
				require.NoError(t, b.handOne(t, written("M1")))
			}
			told := b.everything(t, "acme")
			require.Len(t, told, 1)
			require.Equal(t, !row.want, told[0].Unconfirmed)
			require.Equal(t, row.want, told[0].Request != "")
			require.Len(t, b.requests.all(), map[bool]int{true: 1}[row.want])
			require.Equal(t, 1, b.asker.times(), "an event that came already is not asked for again")
			require.Equal(t, []tenant.ID{"acme"}, b.asker.whose)
		})
	}
}

// A rule may take what nobody confirmed, and its turn is told so; a call never is.
func TestARuleMayTakeWhatNobodyConfirmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rule := hears()
	rule.Unconfirmed = true
	b.tenants.put(talking(rule))
	b.asker.becomes(`[]`, nil)
	b.grownUp()
	require.NoError(t, b.handOne(t, written("M1")))
	told := b.everything(t, "acme")
	require.Len(t, told, 1)
	require.True(t, told[0].Unconfirmed)
	made := b.requests.all()
	require.Len(t, made, 1)
	require.Contains(t, string(made[0].Data), "Nobody signed this event")
	rule.Message, rule.Tool = "", "z-api__get_status"
	require.ErrorContains(t, talking(rule).WithDefaults().Validate(), "webhooks[0].unconfirmed")
}

// A provider that is away is asked again until the patience ends.
func TestAProviderThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(talking(hears()))
	b.grownUp()
	b.asker.becomes("", errors.New("502"))
	require.Error(t, b.handOne(t, written("M1")))
	require.Empty(t, b.everything(t, "acme"), "nothing is decided yet")
	b.asker.becomes(saysHello, nil)
	require.NoError(t, b.handOne(t, written("M1")))
	require.False(t, b.everything(t, "acme")[0].Unconfirmed)

	b.asker.becomes("", errors.New("502"))
	require.Error(t, b.handOne(t, written("M2")))
	b.offset.Store(int64(webhooks.DefaultPatience + time.Minute))
	require.NoError(t, b.handOne(t, written("M2")))
	require.Len(t, b.requests.all(), 1, "it is recorded, and causes nothing")
}

// A flood of made-up webhooks is not passed on to the tenant's provider.
func TestAProviderIsAskedAtTheTenantsRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := talking(hears())
	customer.Rate, customer.RatePeriod, customer.Burst = 1, tenant.PeriodMinute, 3
	b.tenants.put(customer)
	b.asker.becomes(`[]`, nil)
	b.grownUp()
	waiting := 0
	for i := range 10 {
		if b.handOne(t, written("M"+string(rune('a'+i)))) != nil {
			waiting++
		}
	}
	require.Equal(t, 3, b.asker.times())
	require.Equal(t, 7, waiting, "they wait, and are not lost")
	b.offset.Store(int64(7 * time.Minute))
	require.NoError(t, b.handOne(t, written("Mz")))
	require.Equal(t, 4, b.asker.times())
}

// What was signed needs no asking.
func TestWhatWasSignedIsNotAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme", paid(tenant.SessionNew)))
	b.hand(t, webhook("acme", "evt_1", "pay_1", noonish))
	require.Zero(t, b.asker.times())
	require.False(t, b.everything(t, "acme")[0].Unconfirmed)
}

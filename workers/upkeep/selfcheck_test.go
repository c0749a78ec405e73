package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/upkeep"
)

// bank is a provider with one queue for each connection, and who takes in what
// is found there.
type bank struct {
	mu       sync.Mutex
	watched  []upkeep.Connection
	queues   map[string]upkeep.Queue
	payments string // as listed
	resumed  []string
	fed      []events.Webhook
	broken   error // of the post
	standing [2]int
	found    int
}

func newBank(ids ...string) *bank {
	b := &bank{queues: map[string]upkeep.Queue{}, payments: `{"data":[]}`}
	for _, id := range ids {
		b.watched = append(b.watched, upkeep.Connection{ID: id, Tenant: "acme", Server: "asaas", Environment: events.EnvironmentTest, Since: time.Now()})
		b.queues[id] = upkeep.Queue{ID: "hook_" + id}
	}
	return b
}

func (b *bank) Watched(_ context.Context, each func(upkeep.Connection) error) error {
	for _, one := range b.watched {
		if err := each(one); err != nil {
			return err
		}
	}
	return nil
}

func (b *bank) Queue(_ context.Context, one upkeep.Connection) (upkeep.Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if queue, ok := b.queues[one.ID]; ok {
		return queue, nil
	}
	return upkeep.Queue{}, upkeep.ErrNoQueue
}

func (b *bank) Resume(_ context.Context, one upkeep.Connection, queue upkeep.Queue) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resumed = append(b.resumed, queue.ID)
	b.queues[one.ID] = upkeep.Queue{ID: queue.ID}
	return nil
}

func (b *bank) Findings(context.Context, upkeep.Connection) ([]webhook.Finding, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, _, err := webhook.FindingsOf(b.payments)
	return found, err
}

func (b *bank) Publish(_ context.Context, sent events.Webhook) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.fed = append(b.fed, sent)
	return nil
}

func (b *bank) Stands(interrupted, failing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.standing = [2]int{interrupted, failing}
}

func (b *bank) Found(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found += n
}

// kinds are those of what was fed in, by connection.
func (b *bank) kinds(t *testing.T) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	kinds := []string{}
	for _, sent := range b.fed {
		require.True(t, sent.Found)
		event, err := webhook.Read(sent.Server, "", sent.Body)
		require.NoError(t, err)
		kinds = append(kinds, sent.Connection+" "+event.Kind)
	}
	return kinds
}

// looks has a self-check look so often.
func (b *bank) looks(t *testing.T, times int, changes ...func(*upkeep.SelfcheckConfig)) string {
	t.Helper()
	var log bytes.Buffer
	config := upkeep.SelfcheckConfig{Connections: b, Inspector: b, Post: b, Observer: b, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, change := range changes {
		change(&config)
	}
	check, err := upkeep.NewSelfcheck(config)
	require.NoError(t, err)
	require.NoError(t, check.Start(t.Context()))
	<-time.After(time.Duration(times-1)*upkeep.DefaultSelfcheckEvery + time.Minute)
	synctest.Wait()
	require.NoError(t, check.Stop(t.Context()))
	return log.String()
}

// listing is what the bank shows of a payment that was paid on a day.
func listing(on time.Time) string {
	return `{"data":[{"id":"pay_1","status":"RECEIVED","paymentDate":"` + webhook.Day(on).Format(time.DateOnly) + `"}]}`
}

func TestAStoppedQueueIsRaisedAndWhatItKeptIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank("ca_1", "ca_2", "ca_3")
		b.queues["ca_1"] = upkeep.Queue{ID: "hook_1", Interrupted: true, Refused: 15}
		b.queues["ca_2"] = upkeep.Queue{ID: "hook_2", Refused: upkeep.DefaultAlarm}
		delete(b.queues, "ca_3")
		b.payments = listing(time.Now())
		log := b.looks(t, 3)
		require.Equal(t, []string{
			"ca_1 PAYMENT_RECEIVED", "ca_1 connection.webhook_interrupted", "ca_2 PAYMENT_RECEIVED", "ca_2 connection.webhook_failing",
		}, b.kinds(t), "once, however often it is looked at")
		require.Equal(t, [2]int{1, 1}, b.standing)
		require.Equal(t, 2, b.found)
		require.Empty(t, b.resumed, "that is for people, unless it was asked for")
		require.Equal(t, 3, strings.Count(log, "a provider has stopped telling of things"))
		require.Contains(t, log, "refused=5")
	})
}

func TestAStoppedQueueGoesOnWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank("ca_1")
		b.queues["ca_1"] = upkeep.Queue{ID: "hook_1", Interrupted: true, Refused: 15}
		b.looks(t, 2, func(c *upkeep.SelfcheckConfig) { c.Resume = true })
		require.Equal(t, []string{"hook_1"}, b.resumed)
		require.Equal(t, []string{"ca_1 connection.webhook_interrupted", "ca_1 connection.webhook_resumed"}, b.kinds(t))
		require.Equal(t, [2]int{0, 0}, b.standing)
	})
}

// Of a queue that does well what is new may be on its way: it is fed in when it
// is still there at the next look.
func TestAQueueThatDoesWellIsGivenTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank("ca_1")
		b.payments = listing(time.Now())
		b.looks(t, 1)
		require.Empty(t, b.kinds(t))
		b.looks(t, 3)
		require.Equal(t, []string{"ca_1 PAYMENT_RECEIVED"}, b.kinds(t))
	})
}

func TestWhatIsNoNewsIsNotFedIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank("ca_1")
		b.queues["ca_1"] = upkeep.Queue{ID: "hook_1", Refused: 1, Events: []string{"PAYMENT_OVERDUE"}}
		b.payments = listing(time.Now())
		b.looks(t, 2)
		require.Empty(t, b.kinds(t), "the provider is not asked to tell of it")
		b.queues["ca_1"] = upkeep.Queue{ID: "hook_1", Refused: 1}
		b.payments = listing(time.Now().Add(-48 * time.Hour))
		b.looks(t, 2)
		require.Empty(t, b.kinds(t), "it happened before there was an address")
	})
}

// What the broker did not store is fed in at the next look.
func TestWhatWasNotStoredIsFedInAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank("ca_1")
		b.queues["ca_1"] = upkeep.Queue{ID: "hook_1", Refused: 1}
		b.payments, b.broken = listing(time.Now()), errors.New("no broker")
		time.AfterFunc(2*time.Minute, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.broken = nil
		})
		log := b.looks(t, 2)
		require.Equal(t, []string{"ca_1 PAYMENT_RECEIVED"}, b.kinds(t))
		require.Contains(t, log, "no broker")
	})
}

// It counts goroutines, which those of others would disturb: it is not parallel.
func TestSelfcheckIsAPart(t *testing.T) { //nolint:paralleltest // as said
	lifecycletest.Stress(t, func() lifecycle.Part {
		b := newBank("ca_1")
		check, err := upkeep.NewSelfcheck(upkeep.SelfcheckConfig{Connections: b, Inspector: b, Post: b})
		require.NoError(t, err)
		return check
	})
	_, err := upkeep.NewSelfcheck(upkeep.SelfcheckConfig{Every: -1, Pace: -1, Alarm: -1})
	for _, fault := range []string{
		"Connections is missing", "Inspector is missing", "Post is missing", "Every is negative", "Pace is negative", "Alarm is negative",
	} {
		require.ErrorContains(t, err, "upkeep: selfcheck: "+fault)
	}
}

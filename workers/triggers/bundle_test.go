package triggers_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/workers/triggers"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// street is everything around a courier, in memory and on a clock that a test
// may fake: a stream, a book, endpoints.
type street struct {
	mu        sync.Mutex
	stream    map[uint64]events.Message
	last      uint64
	dead      []events.LetterDied
	attempts  []*events.DeliveryAttempted
	records   []events.Record // of the attempts
	book      map[trigger.Key]trigger.Trigger
	listeners []func(trigger.Key)
	watchers  []chan events.Headline
	told      []told
	secrets   trigger.Secrets
	// answer is what an endpoint says, by its host.
	answer func(ctx context.Context, host string, body []byte) (int, http.Header, error)
	// broken fails removals.
	broken error
}

// told is a delivery that an endpoint took.
type told struct {
	host, id, object string
	n                int
	at               time.Time
}

// pass lets time go by in a bubble, and all that is due by then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func newStreet(t *testing.T) *street {
	t.Helper()
	secrets, err := trigger.NewSecrets(rand.Reader)
	require.NoError(t, err)
	return &street{stream: map[uint64]events.Message{}, book: map[trigger.Key]trigger.Trigger{}, secrets: secrets}
}

func (s *street) config() triggers.Config {
	return triggers.Config{
		ID: "c1", Lease: s, Book: s, Pending: s, Journal: journal{s}, Attempts: journal{s}, Cemetery: s, Registry: s, Safe: s, Transport: s,
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (s *street) open(t *testing.T, tenant, id string) trigger.Trigger {
	t.Helper()
	made := trigger.Trigger{
		ID: events.TriggerID("trg_" + id), Tenant: events.TenantID(tenant), Name: id, Event: trigger.All, URL: "https://" + id + ".example/",
		Status: trigger.StatusActive, CreatedAt: time.Now().Add(-time.Hour),
	}
	s.put(made)
	return made
}

func (s *street) put(made trigger.Trigger) {
	key := trigger.Key{Tenant: made.Tenant, Trigger: made.ID}
	s.mu.Lock()
	s.book[key] = made
	listeners := append([]func(trigger.Key){}, s.listeners...)
	s.mu.Unlock()
	for _, listener := range listeners {
		listener(key)
	}
}

func (s *street) drop(key trigger.Key) {
	s.mu.Lock()
	delete(s.book, key)
	listeners := append([]func(trigger.Key){}, s.listeners...)
	s.mu.Unlock()
	for _, listener := range listeners {
		listener(key)
	}
}

// happen has a tenant's trigger told of the nth event of an object.
func (s *street) happen(t *testing.T, to trigger.Trigger, object string, n int) {
	t.Helper()
	message, err := trigger.Delivery(to, trigger.Event{
		Name: "payment.confirmed", Tenant: to.Tenant, Object: object, At: time.Now(), Source: object, ID: time.Now().String() + object,
		Cause: uint64(n) + 1, Data: map[string]any{"n": n},
	})
	require.NoError(t, err)
	require.NoError(t, s.Publish(t.Context(), []events.Message{message}))
}

func (s *street) Publish(_ context.Context, messages []events.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, message := range messages {
		s.last++
		message.Sequence, message.Time = s.last, time.Now()
		s.stream[s.last] = message
		for _, watcher := range s.watchers {
			watcher <- events.Headline{Message: message}
		}
	}
	return nil
}

func (s *street) Watch(ctx context.Context, deliver func([]events.Headline, bool) error) error {
	heard := make(chan events.Headline, 100_000)
	s.mu.Lock()
	var first []events.Headline
	for sequence := range s.last {
		if message, ok := s.stream[sequence+1]; ok {
			first = append(first, events.Headline{Message: message})
		}
	}
	s.watchers = append(s.watchers, heard)
	s.mu.Unlock()
	if err := deliver(first, true); err != nil {
		return err
	}
	for {
		select {
		case head := <-heard:
			if err := deliver([]events.Headline{head}, true); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *street) Read(_ context.Context, sequence uint64) (events.Message, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	message, ok := s.stream[sequence]
	return message, ok, nil
}

func (s *street) Remove(_ context.Context, sequence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	delete(s.stream, sequence)
	return nil
}

func (s *street) Bury(_ context.Context, _ events.TenantID, letter events.LetterDied) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = append(s.dead, letter)
	return nil
}

type journal struct{ *street }

func (j journal) Publish(_ context.Context, messages []events.Message) error {
	for _, message := range messages {
		record, err := events.Decode(message)
		if err != nil {
			return err
		}
		j.mu.Lock()
		j.attempts = append(j.attempts, record.Event.(*events.DeliveryAttempted))
		j.records = append(j.records, record)
		j.mu.Unlock()
	}
	return nil
}

func (j journal) Attempts(_ context.Context, tenant events.TenantID, id events.TriggerID, limit int) ([]events.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var newest []events.Record
	for _, record := range slices.Backward(j.records) {
		if len(newest) < limit && record.Tenant == tenant && record.Event.(*events.DeliveryAttempted).Trigger == id {
			newest = append(newest, record)
		}
	}
	return newest, nil
}

func (s *street) Of(tenant events.TenantID) []trigger.Trigger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []trigger.Trigger
	for key, one := range s.book {
		if key.Tenant == tenant {
			all = append(all, one)
		}
	}
	return all
}

func (s *street) Lookup(key trigger.Key) (trigger.Trigger, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.book[key]
	return found, ok
}

func (s *street) OnChange(listener func(trigger.Key)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, listener)
	for key := range s.book {
		listener(key)
	}
	return func() {}
}

func (s *street) Known(_ context.Context, key trigger.Key) (bool, error) {
	_, ok := s.Lookup(key)
	return ok, nil
}

func (s *street) Stop(_ context.Context, key trigger.Key, reason string) error {
	found, ok := s.Lookup(key)
	if !ok {
		return errors.New("there is no such trigger")
	}
	found.Status, found.Reason = trigger.StatusStopped, reason
	s.put(found)
	return nil
}

func (s *street) Secrets(context.Context, trigger.Trigger) (trigger.Secrets, error) {
	return s.secrets, nil
}

func (s *street) Acquire(context.Context, string) (triggers.Tenure, error) { return tenure{}, nil }

type tenure struct{}

func (tenure) Valid() bool                   { return true }
func (tenure) Lost() <-chan struct{}         { return nil }
func (tenure) Release(context.Context) error { return nil }

// RoundTrip is the endpoints.
func (s *street) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	status, header, err := s.answer(request.Context(), request.URL.Hostname(), body)
	if err != nil {
		return nil, err
	}
	var read struct {
		ID     string `json:"id"`
		Object string `json:"object"`
		Data   struct {
			N int `json:"n"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &read); err != nil {
		return nil, err
	}
	if status < 300 {
		s.mu.Lock()
		s.told = append(s.told, told{host: request.URL.Hostname(), id: read.ID, object: read.Object, n: read.Data.N, at: time.Now()})
		s.mu.Unlock()
	}
	if read.ID != request.Header.Get(trigger.HeaderID) {
		return nil, errors.New("the header and the body name different deliveries")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(nil))}, nil
}

// tales are what an endpoint was told, by object.
func (s *street) tales(host string) map[string][]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	tales := map[string][]int{}
	for _, one := range s.told {
		if one.host == host {
			tales[one.object] = append(tales[one.object], one.n)
		}
	}
	return tales
}

// letters are the dead ones so far.
func (s *street) letters() []events.LetterDied {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dead)
}

// tries are the attempts that were noted so far.
func (s *street) tries() []*events.DeliveryAttempted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

// everybody is what all endpoints were told so far.
func (s *street) everybody() []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

func (s *street) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stream)
}

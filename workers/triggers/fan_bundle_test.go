package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/workers/triggers"
)

// hall is everything around fans, in memory: the log, the cursor, and a stream of
// deliveries that stores an id once.
type hall struct {
	*street

	mu       sync.Mutex
	log      []events.Message
	more     chan struct{} // replaced when the log grows
	read     []uint64      // whose bodies were fetched
	sequence uint64
	revision uint64
	ids      map[string]bool
	kept     []events.Message // deliveries, in the order in which they were stored
	// refuse says which of the deliveries of a wave are not stored.
	refuse func(n int) bool
	// storing is called before a wave is stored.
	storing func()
}

func newHall(t *testing.T) *hall {
	t.Helper()
	return &hall{street: newStreet(t), more: make(chan struct{}), ids: map[string]bool{}}
}

func (h *hall) fan(id string, lease triggers.Lease) triggers.FanConfig {
	return triggers.FanConfig{ID: id, Lease: lease, Book: h.street, Facts: h, Cursor: h, Publisher: shelf{h}}
}

// startFan runs one until the function returned is called. It is for the inside
// of a bubble.
func startFan(t *testing.T, config triggers.FanConfig) (stop func()) {
	t.Helper()
	fan, err := triggers.NewFan(config)
	require.NoError(t, err)
	require.NoError(t, fan.Start(t.Context()))
	return func() { require.NoError(t, fan.Stop(t.Context())) }
}

// write appends to the log.
func (h *hall) write(messages ...events.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, message := range messages {
		message.Sequence = uint64(len(h.log)) + 1
		h.log = append(h.log, message)
	}
	close(h.more)
	h.more = make(chan struct{})
}

func (h *hall) Headlines(ctx context.Context, after uint64, deliver func([]events.Headline, bool) error) error {
	for {
		h.mu.Lock()
		var batch []events.Headline
		for _, message := range h.log[after:] {
			message.Data = nil
			batch = append(batch, events.Headline{Message: message})
		}
		more := h.more
		h.mu.Unlock()
		after += uint64(len(batch))
		if err := deliver(batch, true); err != nil {
			return err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *hall) Fact(_ context.Context, sequence uint64) (events.Message, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read = append(h.read, sequence)
	return h.log[sequence-1], true, nil
}

func (h *hall) Load(context.Context) (sequence, revision uint64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sequence, h.revision, nil
}

func (h *hall) Save(_ context.Context, sequence, revision uint64) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if revision != h.revision {
		return 0, triggers.ErrDeposed
	}
	h.sequence = sequence
	h.revision++
	return h.revision, nil
}

// cursor is how far the log is done.
func (h *hall) cursor() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sequence
}

// stored are the names of what was told, by lane, as "n" of [saying].
func (h *hall) stored(t *testing.T) map[events.Lane][]string {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[events.Lane][]string{}
	for _, message := range h.kept {
		_, _, lane, err := events.SubjectTrigger(message.Subject)
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(message.Data), `"message":"n`)
		name, _, _ := strings.Cut(rest, `"`)
		all[lane] = append(all[lane], name)
	}
	return all
}

var errShelf = errors.New("the broker is away")

// shelf stores deliveries, each id once.
type shelf struct{ *hall }

func (s shelf) Publish(_ context.Context, messages []events.Message) error {
	if s.storing != nil {
		s.storing()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for n, message := range messages {
		id := message.Header.Value(events.HeaderMsgID)
		switch {
		case s.ids[id]:
		case s.refuse != nil && s.refuse(n):
			err = errShelf
		default:
			s.ids[id] = true
			s.kept = append(s.kept, message)
		}
	}
	return err
}

// saying is the nth turn of a session.
func saying(t *testing.T, tenant events.TenantID, session, n int) events.Message {
	t.Helper()
	id := events.SessionID(fmt.Sprint("ses_", session))
	message, err := events.Encode(events.SessionSubject(tenant, id), events.Envelope{
		ID: fmt.Sprint("turn/", n), Source: events.SessionSource(tenant, id), Time: time.Now(), Tenant: tenant, Session: id, Request: "req_1",
	}, &events.TurnCompleted{Status: events.TurnCompletedOK, Message: fmt.Sprint("n", n)})
	require.NoError(t, err)
	return message
}

// seat is a lease that is handed from one to the other by the test.
type seat struct {
	free  chan struct{} // of one place
	valid func() bool
}

func newSeat() *seat {
	s := &seat{free: make(chan struct{}, 1), valid: func() bool { return true }}
	s.free <- struct{}{}
	return s
}

func (s *seat) Acquire(ctx context.Context, _ string) (triggers.Tenure, error) {
	select {
	case <-s.free:
		return sitting{s}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type sitting struct{ seat *seat }

func (s sitting) Valid() bool           { return s.seat.valid() }
func (s sitting) Lost() <-chan struct{} { return nil }

func (s sitting) Release(context.Context) error {
	select {
	case s.seat.free <- struct{}{}:
	default:
	}
	return nil
}

// key is a trigger's.
func key(of trigger.Trigger) trigger.Key { return trigger.Key{Tenant: of.Tenant, Trigger: of.ID} }

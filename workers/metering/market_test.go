package metering_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

var errBoom = errors.New("boom")

// market is a log of sessions as the broker keeps it, and what was published
// of it.
type market struct {
	messages []events.Message

	mu        sync.Mutex
	reads     int
	readFault error
	short     int // so many of the log's last events are not there yet
	published []events.Message
	lose      bool // the next publish stores everything and loses the answer
}

// Read implements metering.SessionLog.
func (m *market) Read(_ context.Context, tenant events.TenantID, session events.SessionID, after uint64) ([]events.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.readFault != nil {
		return nil, m.readFault
	}
	var records []events.Record
	for _, message := range m.messages {
		if message.Subject != events.SessionSubject(tenant, session) || message.Sequence <= after {
			continue
		}
		record, err := events.Decode(message)
		if err != nil {
			record = events.Record{Sequence: message.Sequence} // as the bus hands it out
		}
		records = append(records, record)
	}
	return records[:max(len(records)-m.short, 0)], nil
}

// Publish implements metering.Publisher.
func (m *market) Publish(_ context.Context, messages []events.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.published = append(m.published, messages...)
	if m.lose {
		m.lose = false
		return errBoom
	}
	return nil
}

// add appends an event to its session.
func (m *market) add(t require.TestingT, env events.Envelope, event events.Event) {
	sequence := uint64(len(m.messages) + 1)
	env.Source, env.Time = events.SessionSource(env.Tenant, env.Session), time.Date(2026, time.November, 23, 12, 0, int(sequence), 0, time.UTC)
	if env.ID == "" {
		env.ID = strconv.FormatUint(sequence, 10)
	}
	message, err := events.Encode(events.SessionSubject(env.Tenant, env.Session), env, event)
	require.NoError(t, err)
	message.Sequence, message.Time = sequence, env.Time
	m.messages = append(m.messages, message)
}

// session opens a session.
func (m *market) session(t require.TestingT, tenant events.TenantID, session events.SessionID) {
	m.add(t, events.Envelope{Tenant: tenant, Session: session}, &events.SessionOpened{
		Servers: []string{"asaas"}, Environment: events.EnvironmentLive,
		Metadata: map[string]string{"tenant_id": string(tenant), "session": string(session)},
	})
}

// turn plays a request: so many replies, each with a tool call; where it is
// taken over the second start knows less than the first.
func (m *market) turn(t require.TestingT, env events.Envelope, iterations int, takenOver bool) {
	start := &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w1", Metadata: map[string]string{"request": string(env.Request)}}
	m.add(t, env, start)
	for n := range iterations {
		m.add(t, env, &events.ModelReplied{Iteration: n + 1, Model: "small", Usage: events.TokenUsage{InputTokens: int64(n), OutputTokens: 2}})
		if takenOver && n == 0 {
			m.add(t, env, &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2"})
		}
		m.add(t, env, &events.ToolReturned{Iteration: n + 1, Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Attempts: 1})
	}
	m.add(t, env, &events.TurnCompleted{Status: events.TurnCompletedOK})
}

// markets draws the sessions of a few tenants.
func markets() *rapid.Generator[*market] {
	return rapid.Custom(func(t *rapid.T) *market {
		made := &market{}
		request := 0
		for _, tenant := range []events.TenantID{"acme", "loja"} {
			for n := range rapid.IntRange(0, 3).Draw(t, "sessions") {
				session := events.SessionID("ses_" + strconv.Itoa(n)) // the same names for both
				made.session(t, tenant, session)
				for range rapid.IntRange(0, 4).Draw(t, "turns") {
					request++
					env := events.Envelope{Tenant: tenant, Session: session, Request: events.RequestID("req_" + strconv.Itoa(request))}
					made.turn(t, env, rapid.IntRange(0, 3).Draw(t, "iterations"), rapid.Bool().Draw(t, "taken over"))
				}
			}
		}
		return made
	})
}

// expected is the usage of all facts by the shortest way there is.
func (m *market) expected(t require.TestingT) map[string]events.Message {
	expected := map[string]events.Message{}
	for _, message := range m.messages {
		record, err := events.Decode(message)
		require.NoError(t, err)
		env, event, ok := usage.FromRecord(record, usage.SessionFacts{
			Environment: events.EnvironmentLive,
			Metadata:    map[string]string{"tenant_id": string(record.Tenant), "session": string(record.Session)},
			Request:     map[string]string{"request": string(record.Request)},
		})
		if !ok {
			continue
		}
		made, err := events.Encode(events.UsageSubject(record.Tenant, event.Meter), env, event)
		require.NoError(t, err)
		made.Header.Set(events.HeaderMsgID, usage.MessageID(env))
		expected[usage.MessageID(env)] = made
	}
	return expected
}

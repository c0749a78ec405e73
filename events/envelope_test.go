package events_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/schemas"
)

func closing(reason string) (string, events.Envelope, events.Event) {
	return events.SessionSubject("acme", "s1"), events.Envelope{
		ID: "closed", Source: events.SessionSource("acme", "s1"), Type: events.TypeSessionClosed,
		Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Tenant: "acme", Session: "s1",
	}, &events.SessionClosed{Reason: reason}
}

func TestEncodeAtTheLimit(t *testing.T) {
	t.Parallel()
	require.Equal(t, 256<<10, events.MaxEventBytes)
	room := events.MaxEventBytes - len(`{"reason":""}`)
	message, err := events.Encode(closing(strings.Repeat("x", room)))
	require.NoError(t, err)
	require.Len(t, message.Data, events.MaxEventBytes)
	_, err = events.Encode(closing(strings.Repeat("x", room+1)))
	require.ErrorIs(t, err, events.ErrTooLarge)
	require.ErrorContains(t, err, "262145 bytes")
}

func TestEncodeKeepsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		reason := rapid.OneOf(rapid.StringN(1, -1, -1), rapid.Just("<a href='x'>&amp;</a> \u2028 é 🛒 \x00")).Draw(t, "reason")
		message, err := events.Encode(closing(reason))
		require.NoError(t, err)
		record, err := events.Decode(message)
		require.NoError(t, err)
		require.Equal(t, reason, record.Event.(*events.SessionClosed).Reason)
		require.NoError(t, schemas.Validate(string(record.Type), message.Data))
	})
}

// TestEncodeTakesTheTypeOfTheEvent: an envelope cannot announce another event
// than it holds.
func TestEncodeTakesTheTypeOfTheEvent(t *testing.T) {
	t.Parallel()
	subject, envelope, event := closing("done")
	envelope.Type = events.TypeTurnCompleted
	message, err := events.Encode(subject, envelope, event)
	require.NoError(t, err)
	record, err := events.Decode(message)
	require.NoError(t, err)
	require.Equal(t, events.TypeSessionClosed, record.Type)
}

func TestEncodeWritesTimesInUTC(t *testing.T) {
	t.Parallel()
	subject, envelope, event := closing("done")
	envelope.Time = time.Date(2026, 11, 23, 9, 0, 0, 5, time.FixedZone("BRT", -3*3600))
	message, err := events.Encode(subject, envelope, event)
	require.NoError(t, err)
	require.Equal(t, "2026-11-23T12:00:00.000000005Z", message.Header.Value(events.HeaderTime))
}

func TestEncodeRefusesInvalidEvents(t *testing.T) {
	t.Parallel()
	fault := &events.ToolFault{Code: events.FaultProviderError, Message: "no"}
	for _, test := range []struct {
		event events.Event
		want  string
	}{
		{&events.SessionOpened{Environment: events.EnvironmentLive}, "servers is missing"},
		{&events.SessionOpened{Servers: []string{}, Environment: "prod"}, "environment"},
		{&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentLive, Mocks: []byte(`{}`)}, "mocks are set though environment is live"},
		{&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: []byte(`[]`)}, "mocks is no object"},
		{&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: []byte(`{`)}, "mocks is no object"},
		{&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: []byte(`null`)}, "mocks is no object"},
		{&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: mocksOf(events.MaxMocksBytes + 1)}, "mocks has 65537 bytes, at most 65536 are allowed"},
		{&events.ToolReturned{Status: events.ToolError, Error: &events.ToolFault{}, Mock: &events.MockAnswer{Tool: "a/b", Index: 1}}, "mock.index is 1 though status"},
		{&events.ToolReturned{Status: events.ToolOK, Mock: &events.MockAnswer{Tool: "a/b", Index: -1}}, "mock.index is -1"},
		{&events.TurnStarted{Kind: "dream", Attempt: 1}, "kind"},
		{&events.TurnStarted{Kind: events.KindTurn}, "attempt"},
		{&events.TurnStarted{Kind: events.KindCall, Attempt: 1}, "call is missing"},
		{&events.ModelReplied{}, "iteration"},
		{&events.ModelReplied{Iteration: 1, Usage: events.TokenUsage{InputTokens: -1}}, "usage"},
		{&events.ToolReturned{Status: "maybe"}, "status"},
		{&events.ToolReturned{Status: events.ToolOK, Error: fault}, "error is set"},
		{&events.ToolReturned{Status: events.ToolUnknown}, "error is missing"},
		{&events.ToolReturned{Status: events.ToolOK, Index: -1}, "negative"},
		{&events.ApprovalRequested{ApprovalID: "a"}, "tool_calls"},
		{&events.ApprovalRequested{ToolCalls: make([]events.ToolCall, 1)}, "approval_id"},
		{&events.ApprovalDecided{ApprovalID: "a"}, "decided_by"},
		{&events.ApprovalDecided{DecidedBy: "a"}, "approval_id"},
		{&events.TurnCompleted{Status: "done"}, "status"},
		{&events.TurnCompleted{Status: events.TurnRejected}, "reason"},
		{&events.SessionClosed{}, "reason"},
		{&events.UsageRecorded{Meter: "a.b", Outcome: "ok", Quantities: []events.Quantity{{Unit: "call", Amount: "1"}}}, "meter"},
		{&events.UsageRecorded{Meter: "a", Outcome: "ok"}, "quantities is empty"},
		{&events.UsageRecorded{Meter: "a", Outcome: "ok", Quantities: []events.Quantity{{Unit: "call"}}}, "quantities[0]"},
		{&events.UsageRecorded{Meter: "a", Quantities: []events.Quantity{{Unit: "call", Amount: "1"}}}, "outcome"},
		{&events.LetterDied{Reason: "r"}, "stream"},
		{&events.LetterDied{Stream: "s"}, "reason"},
	} {
		_, err := events.Encode("subject", events.Envelope{ID: "1"}, test.event)
		require.ErrorIs(t, err, events.ErrInvalidEvent)
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, err, string(test.event.EventType()))
	}
}

func TestDecodeNamesTheFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*events.Message)
		want  error
		text  string
	}{
		"version":      {func(m *events.Message) { m.Header.Set(events.HeaderSpecVersion, "2.0") }, events.ErrMalformed, events.HeaderSpecVersion},
		"no id":        {func(m *events.Message) { m.Header.Set(events.HeaderID, "") }, events.ErrMalformed, events.HeaderID},
		"no time":      {func(m *events.Message) { m.Header.Set(events.HeaderTime, "") }, events.ErrMalformed, events.HeaderTime},
		"no headers":   {func(m *events.Message) { m.Header = nil }, events.ErrMalformed, events.HeaderSpecVersion},
		"unknown type": {func(m *events.Message) { m.Header.Set(events.HeaderType, "feira.turn.dreamt.v1") }, events.ErrUnknownType, "feira.turn.dreamt.v1"},
		"newer type":   {func(m *events.Message) { m.Header.Set(events.HeaderType, "feira.session.closed.v2") }, events.ErrUnknownType, "v2"},
		"no data":      {func(m *events.Message) { m.Data = nil }, events.ErrMalformed, "feira.session.closed.v1"},
		"other data":   {func(m *events.Message) { m.Data = []byte(`{"reason":{}}`) }, events.ErrMalformed, "reason"},
	} {
		message, err := events.Encode(closing("done"))
		require.NoError(t, err)
		test.spoil(&message)
		_, err = events.Decode(message)
		require.ErrorIs(t, err, test.want, name)
		require.ErrorContains(t, err, test.text, name)
	}
}

// FuzzDecode: nothing that comes from outside may panic, and what is read and
// valid is written and read to the same.
func FuzzDecode(f *testing.F) {
	for _, event := range events.Catalogue() {
		f.Add(string(event.EventType()), "id", "2026-11-23T12:00:00Z", []byte(`{}`))
	}
	f.Add(string(events.TypeToolReturned), "id", "2026-11-23T12:00:00Z", []byte(`{"status":"error","error":{"code":"x"}}`))
	f.Add(string(events.TypeLetterDied), "id", "2026-11-23T12:00:00Z", []byte(`{"stream":"S","reason":"r","header":{"a":null},"data":"eA=="}`))
	f.Add(string(events.TypeTurnStarted), "id", "2026-11-23T12:00:00Z", []byte(`{"kind":"call","attempt":1,"call":{"arguments":{"a":1e999}}}`))
	f.Fuzz(func(t *testing.T, name, id, at string, data []byte) {
		message := events.Message{Subject: "feira.sessions.acme.s1", Data: data, Header: header(
			events.HeaderSpecVersion, "1.0", events.HeaderContentType, "application/json",
			events.HeaderID, id, events.HeaderType, name, events.HeaderTime, at,
		)}
		record, err := events.Decode(message)
		if err != nil {
			return
		}
		written, err := events.Encode(message.Subject, record.Envelope, record.Event)
		if err != nil {
			require.True(t, errors.Is(err, events.ErrInvalidEvent) || errors.Is(err, events.ErrTooLarge), err)
			return
		}
		again, err := events.Decode(written)
		require.NoError(t, err)
		twice, err := events.Encode(message.Subject, again.Envelope, again.Event)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(written, twice))
	})
}

// mocksOf is an object of so many bytes.
func mocksOf(size int) []byte {
	const frame = `{"a/b":{"x":""}}`
	return []byte(`{"a/b":{"x":"` + strings.Repeat("x", size-len(frame)) + `"}}`)
}

func TestMocksAtTheLimitAreWritten(t *testing.T) {
	t.Parallel()
	for _, size := range []int{events.MaxMocksBytes - 1, events.MaxMocksBytes} {
		opened := &events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: mocksOf(size)}
		message, err := events.Encode("s", events.Envelope{ID: "opened", Type: opened.EventType()}, opened)
		require.NoError(t, err)
		record, err := events.Decode(message)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(opened, record.Event))
	}
}

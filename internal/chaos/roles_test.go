package chaos_test

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/chaos"
	"github.com/feira-dev/feira/internal/testenv"
)

var leading = regexp.MustCompile(`"msg":"leading"`)

// role starts a role and returns when it is up.
func (m *market) role(t *testing.T, role string, flags ...string) *testenv.Child {
	t.Helper()
	child := m.launch(t, role, flags...)
	child.WaitForOutput(t, rolesAreUp)
	return child
}

// leader starts a scheduler and returns when it leads.
func (m *market) leader(t *testing.T) *testenv.Child {
	t.Helper()
	child := m.launch(t, "scheduler")
	child.WaitForOutput(t, leading)
	return child
}

// ask publishes a turn in a session of its own, named like the request.
func (m *market) ask(t *testing.T, customer events.TenantID, n int, message string) chaos.Asked {
	t.Helper()
	key := chaos.Key{Tenant: customer, Session: events.SessionID("ses-" + strconv.Itoa(n)), ID: events.RequestID("req-" + strconv.Itoa(n))}
	published, err := plain(
		events.RequestParams{Tenant: key.Tenant, Session: key.Session, ID: key.ID, Priority: events.PriorityNormal}, events.Request{Message: message})
	require.NoError(t, err)
	ack, err := m.js.PublishMsg(t.Context(), published)
	require.NoError(t, err)
	return chaos.Asked{Key: key, Kind: events.KindTurn, Stored: true, Sequence: ack.Sequence}
}

// backlog publishes n turns that each wait for the model, with a tool call
// that has its effect under a name of its own.
func (m *market) backlog(t *testing.T, customer events.TenantID, n int, wait time.Duration) []chaos.Asked {
	t.Helper()
	var asked []chaos.Asked
	for i := range n {
		asked = append(asked, m.ask(t, customer, i, fmt.Sprintf("/wait %s\n/call stripe__create_customer {\"email\": \"buyer-%d@example.com\"}", wait, i)))
	}
	return asked
}

// requireServed waits until all is served and judges the log.
func (m *market) requireServed(t *testing.T, asked []chaos.Asked) chaos.Findings {
	t.Helper()
	m.requireDrained(t)
	findings := chaos.Trial{Caps: m.caps, Asked: asked, Log: m.log(t)}.Judge()
	for _, fault := range findings.Faults {
		t.Error(fault)
	}
	require.Equal(t, map[events.TurnStatus]int{events.TurnCompletedOK: len(asked)}, findings.Endings)
	return findings
}

// said is what was published on a subject, stored or refused, and when it was
// heard. It is safe for concurrent use.
type said struct {
	mu      sync.Mutex
	all     []heard
	spacers int
}

type heard struct {
	at  time.Time
	msg *nats.Msg
}

// listen hears a subject until the test ends. Streams that take it in make no
// difference.
func (m *market) listen(t *testing.T, subject string) *said {
	t.Helper()
	s := &said{}
	sub, err := m.conn.Subscribe(subject, func(msg *nats.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if events.IsSpacer(msg.Subject) {
			s.spacers++
			return
		}
		s.all = append(s.all, heard{at: time.Now(), msg: msg})
	})
	require.NoError(t, err)
	require.NoError(t, m.conn.Flush())
	t.Cleanup(func() { require.NoError(t, sub.Unsubscribe()) })
	return s
}

// spaces is how many spacers were heard, which are not among the words.
func (s *said) spaces() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spacers
}

// since is what was heard after a moment.
func (s *said) since(at time.Time) []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.all {
		if one.at.After(at) {
			return append([]heard(nil), s.all[i:]...)
		}
	}
	return nil
}

func (s *said) requireMore(t *testing.T, at time.Time, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.since(at)) >= n }, patience, pace)
}

// pause is the longest silence after a moment, from the last word before it.
func (s *said) pause(at time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := time.Duration(0)
	for i, one := range s.all {
		if i > 0 && one.at.After(at) {
			longest = max(longest, one.at.Sub(s.all[i-1].at))
		}
	}
	return longest
}

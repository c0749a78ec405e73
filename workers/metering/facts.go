package metering

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

type sessionKey struct {
	tenant  events.TenantID
	session events.SessionID
}

type requestKey struct {
	sessionKey
	request events.RequestID
}

// opening is what session.opened says; known is false when the log no longer
// holds it.
type opening struct {
	known       bool
	environment events.Environment
	metadata    map[string]string
}

// facts remembers what usage events say beyond their cause. The stream itself
// feeds it; what it does not know, because of a restart or because it had to
// forget, it reads from the session's log. Both ways lead to the same facts:
// they are written once, before the first record that needs them. It belongs to
// one goroutine at a time.
type facts struct {
	log      SessionLog
	sessions *lru.Cache[sessionKey, opening]
	requests *lru.Cache[requestKey, map[string]string]

	// behind is the sequence that the log did not reach when it was last read,
	// tries how often that was so.
	behind uint64
	tries  int
}

// patience is how often a log may be read that does not reach the record. After
// that the record has gone from the log, by age or by hand, and is not going to
// come.
const patience = 10

func newFacts(log SessionLog, size int) (*facts, error) {
	sessions, err := lru.New[sessionKey, opening](size)
	if err != nil {
		return nil, err
	}
	requests, err := lru.New[requestKey, map[string]string](size)
	if err != nil {
		return nil, err
	}
	return &facts{log: log, sessions: sessions, requests: requests}, nil
}

// observe learns from a record. Only the first session.opened of a session and
// the first turn.started of a request count, so that a later one, delivered
// again or read again, changes nothing.
func (f *facts) observe(record events.Record) {
	key := sessionKey{tenant: record.Tenant, session: record.Session}
	switch event := record.Event.(type) {
	case *events.SessionOpened:
		if held, ok := f.sessions.Get(key); !ok || !held.known {
			f.sessions.Add(key, opening{known: true, environment: event.Environment, metadata: event.Metadata})
		}
	case *events.TurnStarted:
		request := requestKey{sessionKey: key, request: record.Request}
		// A take-over that is all we have seen may be an incomplete copy of the
		// first start, which only the log can tell.
		if _, ok := f.requests.Get(request); !ok && event.Attempt == 1 {
			f.requests.Add(request, event.Metadata)
		}
	}
}

// of returns the facts for a record.
func (f *facts) of(ctx context.Context, record events.Record) (usage.SessionFacts, bool, error) {
	key := sessionKey{tenant: record.Tenant, session: record.Session}
	request := requestKey{sessionKey: key, request: record.Request}
	session, haveSession := f.sessions.Get(key)
	metadata, haveRequest := f.requests.Get(request)
	if !haveSession || !haveRequest {
		if err := f.load(ctx, request, record.Sequence); err != nil {
			return usage.SessionFacts{}, false, err
		}
		session, _ = f.sessions.Get(key)
		metadata, _ = f.requests.Get(request)
	}
	return usage.SessionFacts{
		Environment: session.environment,
		Metadata:    session.metadata,
		Request:     metadata,
	}, session.known, nil
}

// load learns from the session's log what was written before the record of that
// sequence. A copy of the log that does not reach the record yet is no answer.
// What the log does not hold any more is remembered as such, or each record
// would read the log again.
func (f *facts) load(ctx context.Context, asked requestKey, sequence uint64) error {
	key := asked.sessionKey
	records, err := f.log.Read(ctx, key.tenant, key.session, 0)
	if err != nil {
		return fmt.Errorf("reading the log of session %s: %w", key.session, err)
	}
	if !f.reaches(records, sequence) {
		return fmt.Errorf("reading the log of session %s: %w: it ends before sequence %d", key.session, errLogBehind, sequence)
	}
	starts, running := map[events.RequestID]*events.TurnStarted{}, map[events.RequestID]bool{}
	for _, record := range records {
		switch event := record.Event.(type) {
		case *events.SessionOpened:
			record.Tenant, record.Session = key.tenant, key.session
			f.observe(record)
		case *events.TurnStarted:
			if starts[record.Request] == nil {
				starts[record.Request] = event
			}
			running[record.Request] = true
		case *events.TurnCompleted:
			delete(running, record.Request)
		}
	}
	if !f.sessions.Contains(key) {
		f.sessions.Add(key, opening{})
	}
	for request := range running {
		f.learn(requestKey{sessionKey: key, request: request}, starts[request])
	}
	f.learn(asked, starts[asked.request])
	return nil
}

// reaches reports whether the log holds what was written before the sequence, as
// far as it will ever be known.
func (f *facts) reaches(records []events.Record, sequence uint64) bool {
	if len(records) > 0 && records[len(records)-1].Sequence >= sequence {
		return true
	}
	if f.behind != sequence {
		f.behind, f.tries = sequence, 0
	}
	f.tries++
	return f.tries >= patience
}

// learn remembers the first start of a request; nil when the log has none.
func (f *facts) learn(key requestKey, started *events.TurnStarted) {
	if f.requests.Contains(key) {
		return
	}
	var metadata map[string]string
	if started != nil {
		metadata = started.Metadata
	}
	f.requests.Add(key, metadata)
}

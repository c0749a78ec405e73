package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// ErrMoved occurs when a record is not at the revision that a write expects.
var ErrMoved = errors.New("the record has moved on")

// Records keeps what is known of the objects that are polled. Implementations are
// safe for concurrent use.
type Records interface {
	// Load returns a record with its revision, 0 when there is none. It must not
	// be stale.
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Save writes if the record is still at the revision, or fails with [ErrMoved].
	Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Follower tells of records.
type Follower interface {
	// Follow tells of all records, then of each change, from one goroutine, until
	// ctx ends; caughtUp is called when all that were there have been told of. A
	// record that was removed has no value.
	Follow(ctx context.Context, each func(key string, value []byte, revision uint64), caughtUp func()) error
}

// Tenants knows the tenants. It says false only of one that is certainly not
// registered. Implementations are safe for concurrent use.
type Tenants interface {
	Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error)
}

// Question is one reading request to a provider.
type Question struct {
	Tenant      events.TenantID
	Environment events.Environment
	Server      string
	Tool        string
	Arguments   json.RawMessage
}

// AnswerState is what became of a question.
type AnswerState string

// Answer states.
const (
	// AnswerGiven has a body.
	AnswerGiven AnswerState = "given"
	// AnswerRefused is the provider's no to this very question; another may do.
	AnswerRefused AnswerState = "refused"
	// AnswerLimited says that the provider, or the tenant's share of it, takes no
	// more for now.
	AnswerLimited AnswerState = "limited"
	// AnswerAway says that the provider does not answer, or not with sense.
	AnswerAway AnswerState = "away"
	// AnswerUnconnected says that there is no credential, or none that is taken.
	AnswerUnconnected AnswerState = "unconnected"
)

// Answer is a provider's.
type Answer struct {
	State AnswerState
	Body  []byte
	// Again is how long the provider wants to be left alone; 0 when it does not say.
	Again time.Duration
	// Reason is for the log, and holds no secret.
	Reason string
}

// Asker asks providers on behalf of their tenants, once, within the bounds that a
// tenant's calls have and in bounded time. Implementations are safe for concurrent use.
type Asker interface {
	Ask(ctx context.Context, question Question) Answer
}

// Post takes in webhooks. One that is posted again counts once.
type Post interface {
	Publish(ctx context.Context, webhook events.Webhook) error
}

// PollObserver hears of what is polled. Implementations are safe for concurrent use.
type PollObserver interface {
	// Asked tells of a request about so many objects.
	Asked(server string, state AnswerState, objects int)
	// Told tells of so many news that were posted.
	Told(server string, news int)
	// Failed tells of what could not be written or posted.
	Failed(server string)
	// Watched tells how many objects are watched.
	Watched(objects int)
}

// unobserved is an observer that hears nothing.
type unobserved struct{}

func (unobserved) Asked(string, AnswerState, int) {}
func (unobserved) Told(string, int)               {}
func (unobserved) Failed(string)                  {}
func (unobserved) Watched(int)                    {}

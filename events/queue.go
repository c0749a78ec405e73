package events

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of an answer about the queue, which must stay far below what one
// message may hold.
const (
	DefaultQueueLimit = 50
	MaxQueueLimit     = 500
)

// ErrInvalidQuestion occurs when a question about the queue cannot be answered;
// the error that wraps it names the field.
var ErrInvalidQuestion = errors.New("invalid question")

// QueueAsked is a question to the leading scheduler about its queue (core NATS,
// request and reply). An empty body asks for everybody.
type QueueAsked struct {
	// Tenant narrows the answer to one tenant, and adds what it has queued.
	Tenant TenantID `json:"tenant,omitempty"`
	// Limit is how many tenants, or how many queued requests of the one, are
	// listed at most: up to 500; 50 when 0.
	Limit int `json:"limit,omitempty"`
}

// Validate joins every fault, each naming its field.
func (q QueueAsked) Validate() error {
	var faults []error
	if q.Tenant != "" && q.Tenant != IllegalTenant {
		if _, err := ParseTenantID(string(q.Tenant)); err != nil {
			faults = append(faults, fmt.Errorf("%w: tenant: %w", ErrInvalidQuestion, err))
		}
	}
	if q.Limit < 0 || q.Limit > MaxQueueLimit {
		faults = append(faults, fmt.Errorf("%w: limit is %d, want 0 to %d", ErrInvalidQuestion, q.Limit, MaxQueueLimit))
	}
	return errors.Join(faults...)
}

// Most is the limit that is meant.
func (q QueueAsked) Most() int {
	if q.Limit == 0 {
		return DefaultQueueLimit
	}
	return q.Limit
}

// QueueTold is how the leading scheduler's queue stands.
type QueueTold struct {
	// Fault says why the question was not answered; nothing else is told then.
	Fault  string    `json:"fault,omitempty"`
	Leader string    `json:"leader,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	// Rebuilding is set while a new leader still reads what is queued: the
	// figures are growing.
	Rebuilding bool `json:"rebuilding,omitempty"`
	Queued     int  `json:"queued"`
	Running    int  `json:"running"`
	// Slots are those of the live workers.
	Slots   int `json:"slots"`
	Workers int `json:"workers"`
	// DesiredWorkers is how many workers have slots enough for what runs and for
	// what would start at once if slots were free.
	DesiredWorkers int `json:"desired_workers"`
	// OldestWait is how long the oldest queued request has been waiting.
	OldestWait float64 `json:"oldest_wait_seconds"`
	// Busy is how many tenants have requests queued or running, listed or not.
	Busy int `json:"busy_tenants"`
	// Tenants are the busy ones, the longest waiting first; or the one asked for,
	// if the leader knows it.
	Tenants []QueueTenant `json:"tenants"`
}

// QueueTenant is how one tenant stands in the queue.
type QueueTenant struct {
	Tenant  TenantID `json:"tenant"`
	Queued  int      `json:"queued"`
	Running int      `json:"running"`
	// OldestWait is how long its oldest queued request has been waiting.
	OldestWait float64 `json:"oldest_wait_seconds"`
	// Waits says why the request that would go first has not started; absent
	// when none is queued.
	Waits string `json:"waits,omitempty"`
	// Share is the part of the pool that its weight entitles it to beside the
	// tenants that are busy now.
	Share float64 `json:"share"`
	// SlotSeconds is the slot time that it has had under this leader.
	SlotSeconds float64     `json:"slot_seconds"`
	Limits      QueueLimits `json:"limits"`
	// Requests are the first of those queued, by place; only of a tenant that was
	// asked for.
	Requests []QueuedRequest `json:"requests,omitempty"`
	// Partial is set when more are queued than one question may look at: the
	// places are then among the oldest.
	Partial bool `json:"partial,omitempty"`
}

// QueueLimits are a tenant's limits as the scheduler holds to them.
type QueueLimits struct {
	Concurrency int  `json:"concurrency"`
	Weight      int  `json:"weight"`
	Paused      bool `json:"paused,omitempty"`
	// Rate is how many runs may start in RatePeriod; absent when there is no limit.
	Rate       int     `json:"rate,omitempty"`
	Burst      int     `json:"burst,omitempty"`
	RatePeriod float64 `json:"rate_period_seconds,omitempty"`
	// Backlog is how many may be queued; absent where the broker's limit is all.
	Backlog int `json:"backlog,omitempty"`
}

// QueuedRequest is a request that waits.
type QueuedRequest struct {
	// Place is its place among the queued of its tenant, from 1.
	Place    int       `json:"place"`
	Sequence uint64    `json:"sequence"`
	Session  SessionID `json:"session"`
	Kind     Kind      `json:"kind"`
	Priority string    `json:"priority"`
	// Received is when the broker took it in, to a hundredth of the wait.
	Received time.Time `json:"received"`
	Waited   float64   `json:"waited_seconds"`
	// NotBefore is the earliest start, while it lies ahead.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Reason says why it has not started: paused, not_before, session, cap,
	// budget, rate, slots or others.
	Reason string `json:"reason"`
}

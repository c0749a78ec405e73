package turns

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
)

const (
	// appendTime bounds one append with its repeats. An append is not cut
	// short by a stop: a fact that happened is written down.
	appendTime = 15 * time.Second
	// uncertainPause is the wait before the tail is read after a lost answer,
	// so that an append still under way can land.
	uncertainPause = 50 * time.Millisecond
)

// journal writes one request's facts into its session's log. Each append
// carries the sequence of the last fact folded: a refusal means that the log
// has moved on, so the tail is folded in and the append tried again, unless
// the tail says that another worker owns the request now.
type journal struct {
	log     Log
	now     func() time.Time
	request events.RequestID
	trace   string

	mu    sync.Mutex // guards state and owner while appends run side by side
	state *session.State
	owner string // worker of our turn.started; empty before it is stored
	// halt stays set once it is: the tail that told of a new owner or of the end
	// has moved state.Last on, so the broker would take the next append.
	halt error
}

// errEnded occurs when the log says that the request has ended, by whomever:
// there is nothing left to do but to remove it.
var errEnded = errors.New("the request has ended already")

// Turn implements agent.Journal.
func (j *journal) Turn() *session.Turn {
	j.mu.Lock()
	defer j.mu.Unlock()
	turn, _ := j.state.Turn(j.request)
	return turn
}

// Append implements agent.Journal. It fails with outcome.ErrFenced once
// another worker has taken the request over, with errEnded once it has ended.
func (j *journal) Append(ctx context.Context, event events.Event) error {
	return j.Decide(ctx, func() events.Event { return event })
}

// Decide implements agent.Journal. The append carries the sequence up to which
// decide has seen the log, and the broker refuses it where there is more: so
// what is stored was decided from the whole of what stands before it, whoever
// writes beside us.
func (j *journal) Decide(ctx context.Context, decide func() events.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTime)
	defer cancel()
	return j.write(ctx, decide)
}

// write is Decide for as long as ctx lasts: for what may as well be written by
// somebody else later.
func (j *journal) write(ctx context.Context, decide func() events.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := j.now().UTC()
	for j.halt == nil {
		record := j.record(decide(), at)
		sequence, err := j.log.Append(ctx, session.Entry{Last: j.state.Last, Envelope: record.Envelope, Event: record.Event})
		if err == nil {
			record.Sequence = sequence
			return j.state.Apply(record)
		}
		stored, err := j.settle(ctx, record.ID, err)
		if errors.Is(err, outcome.ErrFenced) || errors.Is(err, errEnded) {
			j.halt = err
		}
		if stored || err != nil {
			return err
		}
	}
	return j.halt
}

func (j *journal) record(event events.Event, at time.Time) events.Record {
	return events.Record{Event: event, Envelope: events.Envelope{
		ID:      session.EventID(j.request, event),
		Source:  events.SessionSource(j.state.Tenant, j.state.ID),
		Type:    event.EventType(),
		Time:    at,
		Tenant:  j.state.Tenant,
		Session: j.state.ID,
		Request: j.request,
		Trace:   j.trace,
	}}
}

// settle folds in the tail after an append that was refused or whose answer
// was lost. It reports whether the event is stored after all; nil and false
// mean that the append is to be tried again.
func (j *journal) settle(ctx context.Context, id string, cause error) (stored bool, err error) {
	switch {
	case errors.Is(cause, session.ErrConflict):
	case errors.Is(cause, session.ErrUncertain):
		pause := time.NewTimer(uncertainPause)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return false, cause
		}
	default:
		return false, cause
	}
	tail, err := j.log.Read(ctx, j.state.Tenant, j.state.ID, j.state.Last)
	if err != nil {
		return false, fmt.Errorf("reading the tail of session %s: %w", j.state.ID, err)
	}
	if err := j.state.ApplyAll(tail); err != nil {
		return false, err
	}
	stored, err = j.search(id, tail)
	if stored || err != nil {
		return stored, err
	}
	if ctx.Err() != nil {
		return false, cause
	}
	return false, nil
}

// search looks through a tail for the event of that id. Ids follow from the
// cause, so a new owner's events have the ids that ours would have had: what
// stands behind a take-over is not ours, and once there is one we write no more.
func (j *journal) search(id string, tail []events.Record) (stored bool, err error) {
	for _, record := range tail {
		if record.Request != j.request && record.ID != session.OpenedID {
			continue
		}
		switch event := record.Event.(type) {
		case *events.TurnStarted:
			mine := record.ID == id || event.Worker == j.owner
			if stored || !mine {
				return false, outcome.ErrFenced
			}
		case *events.TurnCompleted:
			if record.ID != id {
				return false, errEnded
			}
		}
		stored = stored || record.ID == id
	}
	return stored, nil
}

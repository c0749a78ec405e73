package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// idBase is how question numbers are written in reply subjects.
const idBase = 36

// errLost is why a question has no answer: the connection was closed first.
var errLost = errors.New("the connection was closed before the answer came")

// exchange asks the broker many questions at one time over one inbox. The
// client's own requests take a timer, a context and a map of channels each,
// and its publications a future besides, which together cost as much as the
// broker's part; here a question is one entry of one table.
//
// Every question is answered exactly once: by the broker, by the broker's
// report that its subject is forbidden, by time, or by the end of the connection.
// It is safe for concurrent use.
type exchange struct {
	patience time.Duration // for questions whose asker sets no limit
	// nc and inbox, that answers come to, with its last dot, are set by open,
	// before anything is asked.
	nc    *nats.Conn
	inbox string

	mu      sync.Mutex // guards what follows
	sub     *nats.Subscription
	last    uint64
	waiting map[uint64]question
	barred  error // why no answer can come any more
}

// question is what was asked. done is called once, from a goroutine of the
// client's or the exchange's, and must not block.
type question struct {
	subject string
	asked   time.Time // zero where the asker looks at the time itself
	done    answerFunc
}

type answerFunc = func(msg *nats.Msg, err error)

// newExchange returns one that can be told of denials and asked nothing yet: the
// client may report errors before it hands out its connection.
func newExchange(patience time.Duration) *exchange {
	return &exchange{patience: patience, waiting: make(map[uint64]question)}
}

func (e *exchange) open(nc *nats.Conn) { e.nc, e.inbox = nc, nc.NewInbox()+"." }

// keep ends questions that are not answered in time, until closed is closed,
// and then those that are left.
func (e *exchange) keep(closed <-chan struct{}) {
	ticker := time.NewTicker(max(e.patience/8, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			late := fmt.Errorf("%w: no answer within %s", context.DeadlineExceeded, e.patience)
			e.end(late, func(q question) bool { return !q.asked.IsZero() && now.Sub(q.asked) >= e.patience })
		case <-closed:
			e.mu.Lock()
			e.barred = nats.ErrConnectionClosed
			e.mu.Unlock()
			e.end(errLost, func(question) bool { return true })
			return
		}
	}
}

// send asks and does not wait. When it returns an error, nothing was sent and
// done is not called. What one goroutine sends reaches the broker in order.
func (e *exchange) send(msg *nats.Msg, done answerFunc) error {
	_, err := e.put(msg, question{subject: msg.Subject, asked: time.Now(), done: done})
	return err
}

type answer struct {
	msg *nats.Msg
	err error
}

// ask waits for the answer until ctx ends; without a deadline in ctx, until the
// exchange loses its patience.
func (e *exchange) ask(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	answers := make(chan answer, 1)
	q := question{subject: msg.Subject, done: func(msg *nats.Msg, err error) { answers <- answer{msg, err} }}
	if _, limited := ctx.Deadline(); !limited {
		q.asked = time.Now()
	}
	id, err := e.put(msg, q)
	if err != nil {
		return nil, err
	}
	select {
	case got := <-answers:
		return got.msg, got.err
	case <-ctx.Done():
		e.take(id)
		return nil, context.Cause(ctx)
	}
}

func (e *exchange) put(msg *nats.Msg, q question) (uint64, error) {
	id, err := e.enter(q)
	if err != nil {
		return 0, err
	}
	msg.Reply = e.inbox + strconv.FormatUint(id, idBase)
	if err := e.nc.PublishMsg(msg); err != nil {
		e.take(id)
		return 0, err
	}
	return id, nil
}

// enter opens the inbox with the first question: a connection that asks none
// needs no permission to hear answers.
func (e *exchange) enter(q question) (uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.barred != nil {
		return 0, e.barred
	}
	if e.sub == nil {
		sub, err := e.nc.Subscribe(e.inbox+"*", e.hear)
		if err != nil {
			return 0, fmt.Errorf("opening an inbox: %w", err)
		}
		// An answer that the client drops would look like one that is late.
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return 0, fmt.Errorf("opening an inbox: %w", err)
		}
		e.sub = sub
	}
	e.last++
	e.waiting[e.last] = q
	return e.last, nil
}

// take removes a question; whoever gets it is the one to answer it.
func (e *exchange) take(id uint64) (question, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, ok := e.waiting[id]
	delete(e.waiting, id)
	return q, ok
}

func (e *exchange) hear(msg *nats.Msg) {
	id, err := strconv.ParseUint(msg.Subject[len(e.inbox):], idBase, 64)
	if err != nil {
		return
	}
	q, ok := e.take(id)
	if !ok {
		return // it came too late
	}
	if len(msg.Data) == 0 && said(msg.Header, headerStatus) == statusNoResponders {
		q.done(nil, nats.ErrNoResponders)
		return
	}
	q.done(msg, nil)
}

// end answers the questions that are chosen with an error.
func (e *exchange) end(err error, chosen func(question) bool) {
	var ended []question
	e.mu.Lock()
	for id, q := range e.waiting {
		if chosen(q) {
			ended = append(ended, q)
			delete(e.waiting, id)
		}
	}
	e.mu.Unlock()
	for _, q := range ended {
		q.done(nil, err)
	}
}

// deny takes in the broker's report of what the credentials do not permit: it
// comes beside the question, which itself would never be answered. Without its
// inbox an exchange hears nothing at all.
func (e *exchange) deny(report error) {
	kind, subject, ok := parseDenial(report)
	if !ok {
		return
	}
	refusal := forbidden(kind, subject)
	if kind == denialPublish {
		e.end(refusal, func(q question) bool { return q.subject == subject })
		return
	}
	e.mu.Lock()
	mine := e.sub != nil && e.sub.Subject == subject
	if mine {
		e.barred = refusal
	}
	e.mu.Unlock()
	if mine {
		e.end(refusal, func(question) bool { return true })
	}
}

package bus

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/internal/outcome"
)

// leases extends the leases of all running messages from one goroutine. Each
// extension is a request that the broker confirms; a lease that nobody has
// confirmed for its whole length ends the work, for by then the broker may have
// given the message to another worker.
type leases struct {
	nc      *nats.Conn
	length  time.Duration
	refresh time.Duration
	logger  *slog.Logger
	inbox   string
	epoch   time.Time // times in inbox subjects count from here

	mu   sync.Mutex
	last uint64
	held map[uint64]*lease
}

type lease struct {
	subject   string // the broker's ack subject of the delivery
	cancel    context.CancelCauseFunc
	confirmed time.Time // when the last extension that was confirmed was sent
	sent      time.Time
}

func newLeases(nc *nats.Conn, length, refresh time.Duration, logger *slog.Logger) *leases {
	return &leases{
		nc: nc, length: length, refresh: refresh, logger: logger, inbox: nc.NewInbox(),
		epoch: time.Now(), held: make(map[uint64]*lease),
	}
}

// hold extends the lease of a delivery until the function returned is called.
// cancel hears [outcome.ErrLeaseLost] when it is lost.
func (l *leases) hold(subject string, cancel context.CancelCauseFunc) (release func()) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	id := l.last
	l.held[id] = &lease{subject: subject, cancel: cancel, confirmed: now, sent: now}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, id)
	}
}

// keep works until stop is closed.
func (l *leases) keep(ctx context.Context, stop <-chan struct{}) error {
	sub, err := l.nc.Subscribe(l.inbox+".*.*", func(msg *nats.Msg) { l.confirm(msg) })
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	ticker := time.NewTicker(max(l.refresh/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-ticker.C:
			l.round(ctx, time.Now())
		}
	}
}

func (l *leases) round(ctx context.Context, now time.Time) {
	type extension struct{ subject, reply string }
	var due []extension
	l.mu.Lock()
	for id, held := range l.held {
		if now.Sub(held.confirmed) >= l.length {
			l.logger.WarnContext(ctx, "lease is lost", slog.String("ack_subject", held.subject))
			held.cancel(outcome.ErrLeaseLost)
			delete(l.held, id)
			continue
		}
		if now.Sub(held.sent) >= l.refresh {
			held.sent = now
			reply := l.inbox + "." + strconv.FormatUint(id, 10) + "." + strconv.FormatInt(int64(now.Sub(l.epoch)), 10)
			due = append(due, extension{subject: held.subject, reply: reply})
		}
	}
	l.mu.Unlock()
	for _, e := range due {
		// An error means no confirmation, which is seen to above.
		_ = l.nc.PublishRequest(e.subject, e.reply, []byte(wordProgress))
	}
}

// confirm reads from the answer's subject which lease was extended and when
// that was asked for: the lease runs from then at the latest.
func (l *leases) confirm(msg *nats.Msg) {
	if said(msg.Header, headerStatus) != "" {
		return // nobody is there
	}
	idText, sentText, _ := strings.Cut(strings.TrimPrefix(msg.Subject, l.inbox+"."), ".")
	id, err := strconv.ParseUint(idText, 10, 64)
	if err != nil {
		return
	}
	sent, err := strconv.ParseInt(sentText, 10, 64)
	if err != nil {
		return
	}
	at := l.epoch.Add(time.Duration(sent))
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.held[id]; ok && at.After(held.confirmed) {
		held.confirmed = at
	}
}

package outbox

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Bounds of one sending.
const (
	// sendTime is how long a receiver may take, as at Asaas.
	sendTime = 10 * time.Second
	// dialTime is plenty: the receiver is on this machine.
	dialTime = 2 * time.Second
)

// errElsewhere occurs when an address resolves to another machine.
var errElsewhere = errors.New("the sandbox calls this machine alone")

// Config is what an office is made of.
type Config struct {
	// Pause is how long a letter waits that was refused for the first time; each
	// further wait is longer, up to thirty times this. Defaults to 50 ms, where the
	// providers take from seconds to hours.
	Pause time.Duration
	// Now is the clock of signatures. Defaults to time.Now.
	Now func() time.Time
	// Logger hears of refused letters. Defaults to silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Pause <= 0 {
		c.Pause = 50 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Office sends the letters of all queues while it runs. It is safe for
// concurrent use.
type Office struct {
	cfg    Config
	client *http.Client
	wake   chan struct{} // holds one signal that a queue is due

	mu     sync.Mutex // guards what follows, and the state of every queue
	queues []*Queue
	due    []*Queue // have something to send, and nobody who sends it
}

// New returns an office that is idle: what is put into its queues waits for Run.
func New(config Config) *Office {
	dialer := &net.Dialer{Timeout: dialTime, Control: onlyHere}
	return &Office{
		cfg: config.withDefaults(), wake: make(chan struct{}, 1),
		client: &http.Client{
			Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
			Timeout:   sendTime,
			// A receiver that sends elsewhere has not taken the letter.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// onlyHere is asked after a name was resolved, so that no name leads elsewhere.
func onlyHere(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errElsewhere
	}
	return nil
}

// Run sends until ctx ends, and returns when nothing is under way any more.
// What was not sent by then is sent by the next Run.
func (o *Office) Run(ctx context.Context) {
	var senders sync.WaitGroup
	defer o.client.CloseIdleConnections()
	defer senders.Wait()
	for {
		for _, queue := range o.take() {
			senders.Go(func() { queue.work(ctx) })
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
	}
}

// take returns the queues that are due, each of which has a sender from now on.
func (o *Office) take() []*Queue {
	o.mu.Lock()
	defer o.mu.Unlock()
	due := o.due
	o.due = nil
	return due
}

// call has a queue worked on. The lock is held.
func (o *Office) call(queue *Queue) {
	if queue.busy {
		return
	}
	queue.busy = true
	o.due = append(o.due, queue)
	select {
	case o.wake <- struct{}{}:
	default: // whoever is woken takes all
	}
}

// Again has the queues of an account send once more what was taken last, and
// reports whether any had something to send.
func (o *Office) Again(server, account string) bool {
	o.mu.Lock()
	queues := slices.Clone(o.queues)
	o.mu.Unlock()
	again := false
	for _, queue := range queues {
		if queue.params.Server == server && queue.params.Account == account {
			again = queue.Again() || again
		}
	}
	return again
}

// Standings tell of every queue, in the order in which they were opened.
func (o *Office) Standings() []Standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	standings := make([]Standing, 0, len(o.queues))
	for _, queue := range o.queues {
		standings = append(standings, queue.standing())
	}
	return standings
}

package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Statuses of a pull.
const (
	statusHeartbeat    = "100"
	statusExpired      = "408"
	statusConflict     = "409"
	statusNoResponders = "503"
)

// pullGrace is how long the broker may be late with the end of a pull.
const pullGrace = time.Second

var errConsumerGone = errors.New("the consumer is gone")

// pullQuery is the body of a pull.
type pullQuery struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
}

// puller pulls from one consumer, one pull at a time, into one inbox that it
// keeps: a message that comes late finds somebody at home, where the client's
// Fetch would have left it to its lease. It is owned by one goroutine.
//
// A delivery is known by its reply subject, which is the broker's; headers are
// never asked, because a producer may have written a status into them.
type puller struct {
	nc       *nats.Conn
	subject  string // where pulls are asked for
	inbox    string
	sub      *nats.Subscription
	messages chan *nats.Msg
	asked    uint64 // counts pulls
	reply    string // of the current pull
	left     int    // messages that the current pull may still bring
	silent   bool   // the broker did not say that the last pull is over
}

// newPuller has room for what two pulls of most messages may bring.
func newPuller(nc *nats.Conn, stream, consumer string, most int) (*puller, error) {
	p := &puller{
		nc: nc, subject: apiNext + stream + "." + consumer, inbox: nc.NewInbox(),
		messages: make(chan *nats.Msg, 2*most+64),
	}
	sub, err := nc.ChanSubscribe(p.inbox+".*", p.messages)
	if err != nil {
		return nil, fmt.Errorf("opening an inbox for %s: %w", stream, err)
	}
	p.sub = sub
	return p, nil
}

// close ends the inbox.
func (p *puller) close() {
	_ = p.sub.Unsubscribe()
	for {
		select {
		case msg := <-p.messages:
			p.refuse(msg)
		default:
			return
		}
	}
}

// refuse gives a message back for which there is no place, so that others may
// have it now rather than when its lease has run out.
func (p *puller) refuse(msg *nats.Msg) {
	if isDelivery(msg) {
		_ = p.nc.Publish(msg.Reply, []byte(wordNak))
	}
}

// ask begins a pull. After one that the broker did not end it first sees
// whether anybody is there: pulls that pile up in an outage would be served all
// at one time when it is over.
func (p *puller) ask(query pullQuery) error {
	if p.silent {
		if err := p.nc.FlushTimeout(pullGrace); err != nil {
			return err
		}
		p.silent = false
	}
	body, err := json.Marshal(query)
	if err != nil {
		return err
	}
	p.asked++
	p.reply = p.inbox + "." + strconv.FormatUint(p.asked, 10)
	p.left = query.Batch
	return p.nc.PublishRequest(p.subject, p.reply, body)
}

// accept tells a delivery from a status, and notes the end of the pull.
// idle is set by a heartbeat: the pull stands, and nothing is there.
func (p *puller) accept(msg *nats.Msg) (isMessage, idle bool, err error) {
	if isDelivery(msg) {
		p.left = max(p.left-1, 0)
		return true, false, nil
	}
	if msg.Subject != p.reply {
		return false, false, nil // of an earlier pull
	}
	switch status := said(msg.Header, headerStatus); status {
	case statusHeartbeat:
		return false, true, nil
	case statusNotFound, statusExpired:
		p.left = 0
		return false, false, nil
	case statusNoResponders:
		p.left = 0
		return false, false, nats.ErrNoResponders
	case statusConflict:
		p.left = 0
		return false, false, conflict(said(msg.Header, headerDetail))
	default:
		p.left = 0
		return false, false, statusError(msg)
	}
}

// fetch asks for n messages and hands over those that come before the pull
// expires, or hard ends. Messages of an earlier pull that came late count among
// the n.
func (p *puller) fetch(n int, expires time.Duration, hard <-chan struct{}, take func(*nats.Msg)) error {
	n, err := p.leftovers(n, take)
	if n == 0 || err != nil {
		return err
	}
	if err := p.ask(pullQuery{Batch: n, Expires: expires}); err != nil {
		return err
	}
	timer := time.NewTimer(expires + pullGrace)
	defer timer.Stop()
	for p.left > 0 {
		select {
		case msg := <-p.messages:
			isMessage, _, err := p.accept(msg)
			if err != nil {
				return err
			}
			if isMessage {
				take(msg)
			}
		case <-timer.C:
			p.silent = true
			return nil
		case <-hard:
			return nil
		}
	}
	return nil
}

// leftovers hands over what has come since the last pull ended and returns how
// many of n are still wanted.
func (p *puller) leftovers(n int, take func(*nats.Msg)) (int, error) {
	for n > 0 {
		select {
		case msg := <-p.messages:
			isMessage, _, err := p.accept(msg)
			if err != nil {
				return n, err
			}
			if isMessage {
				take(msg)
				n--
			}
		default:
			return n, nil
		}
	}
	return 0, nil
}

func isDelivery(msg *nats.Msg) bool { return strings.HasPrefix(msg.Reply, ackPrefix) }

// conflict reads the detail of a 409; nil for what is but another way of saying
// that the pull is over.
func conflict(detail string) error {
	lower := strings.ToLower(detail)
	switch {
	case strings.Contains(lower, "batch completed"), strings.Contains(lower, "message size exceeds maxbytes"):
		return nil
	case strings.Contains(lower, "consumer deleted"):
		return errConsumerGone
	default:
		return fmt.Errorf("the broker ends the pull: %s", detail)
	}
}

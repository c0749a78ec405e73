package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// A page is bounded in messages and in bytes, the latter because the client
// drops what exceeds its buffer.
const (
	pageMessages = 512
	pageBytes    = 8 << 20
)

// Subjects of the broker's own interface.
const (
	apiDirectGet = "$JS.API.DIRECT.GET."
	apiLeaderGet = "$JS.API.STREAM.MSG.GET."
	apiDelete    = "$JS.API.STREAM.MSG.DELETE."
	apiNext      = "$JS.API.CONSUMER.MSG.NEXT."
)

const (
	statusNotFound   = "404"
	statusEndOfBatch = "204"
)

// directQuery asks for the next messages from a sequence on.
type directQuery struct {
	Sequence uint64 `json:"seq,omitempty"`
	Subject  string `json:"next_by_subj,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// bySequence is the body of a query for one message.
func bySequence(sequence uint64) []byte {
	return append(strconv.AppendUint([]byte(`{"seq":`), sequence, 10), '}')
}

// scan hands every stored message of the subject from the sequence on to
// visit, in order, as far as the answering replica has them. A page that was
// cut short by the broker's limits is continued; one that was lost is an error.
//
// orbit's GetBatch is not used: it believes the first header of a name, which
// is the producer's, and takes a lost tail for the end.
func (b *Bus) scan(ctx context.Context, stream string, query directQuery, visit func(events.Message)) error {
	query.Batch, query.MaxBytes = pageMessages, pageBytes
	query.Sequence = max(query.Sequence, 1)
	for {
		last, pending, err := b.page(ctx, stream, query, visit)
		if err != nil {
			return err
		}
		if pending == 0 {
			return nil
		}
		if last == 0 {
			return fmt.Errorf("%w: %d messages are left out", ErrIncomplete, pending)
		}
		query.Sequence = last + 1
	}
}

// page reads one batch and returns the last sequence read and how many
// messages lie beyond it.
func (b *Bus) page(ctx context.Context, stream string, query directQuery, visit func(events.Message)) (last, pending uint64, err error) {
	body, err := json.Marshal(query)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	inbox := b.nc.NewInbox()
	answers := make(chan *nats.Msg, query.Batch+1) // the client's own channel would take half a megabyte
	sub, err := b.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.nc.PublishRequest(apiDirectGet+stream, inbox, body); err != nil {
		return 0, 0, err
	}
	for {
		var msg *nats.Msg
		select {
		case msg = <-answers:
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("%w: %w", ErrIncomplete, context.Cause(ctx))
		}
		previous, _ := saidNumber(msg.Header, jetstream.LastSequenceHeader)
		pending, _ := saidNumber(msg.Header, headerNumPending)
		message, ok := stored(msg)
		switch {
		case ok && previous != last:
			return 0, 0, fmt.Errorf("%w: message %d follows %d, have %d", ErrIncomplete, message.Sequence, previous, last)
		case ok:
			last = message.Sequence
			visit(message)
		case said(msg.Header, headerStatus) == statusEndOfBatch && previous != last:
			return 0, 0, fmt.Errorf("%w: the last message is %d, have %d", ErrIncomplete, previous, last)
		case said(msg.Header, headerStatus) == statusEndOfBatch:
			return last, pending, nil
		case said(msg.Header, headerStatus) == statusNotFound:
			return last, 0, nil
		default:
			return 0, 0, statusError(msg)
		}
	}
}

// direct reads one message from whichever replica answers; false when that
// replica does not have it.
func (b *Bus) direct(ctx context.Context, stream string, sequence uint64) (events.Message, bool, error) {
	return b.fetch(ctx, &nats.Msg{Subject: apiDirectGet + stream, Data: bySequence(sequence)})
}

// fetch asks for one message by a direct get.
func (b *Bus) fetch(ctx context.Context, question *nats.Msg) (events.Message, bool, error) {
	msg, err := b.exchange.ask(ctx, question)
	if err != nil {
		return events.Message{}, false, err
	}
	if message, ok := stored(msg); ok {
		return message, true, nil
	}
	if said(msg.Header, headerStatus) == statusNotFound {
		return events.Message{}, false, nil
	}
	return events.Message{}, false, statusError(msg)
}

// leaderAnswer is the answer of the stream's leader to a read.
type leaderAnswer struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Subject  string    `json:"subject"`
		Sequence uint64    `json:"seq"`
		Header   []byte    `json:"hdrs"`
		Data     []byte    `json:"data"`
		Time     time.Time `json:"time"`
	} `json:"message"`
}

// leader reads one message from the stream's leader, whose word is final;
// false when it is gone.
func (b *Bus) leader(ctx context.Context, stream string, query directQuery) (events.Message, bool, error) {
	body, err := json.Marshal(query)
	if err != nil {
		return events.Message{}, false, err
	}
	msg, err := b.exchange.ask(ctx, &nats.Msg{Subject: apiLeaderGet + stream, Data: body})
	if err != nil {
		return events.Message{}, false, err
	}
	var answer leaderAnswer
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return events.Message{}, false, err
	}
	if answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return events.Message{}, false, nil
	}
	if answer.Error != nil {
		return events.Message{}, false, answer.Error
	}
	if answer.Message == nil {
		return events.Message{}, false, jetstream.ErrInvalidJetStreamResponse
	}
	message := events.Message{
		Subject: answer.Message.Subject, Data: answer.Message.Data,
		Sequence: answer.Message.Sequence, Time: answer.Message.Time,
	}
	if len(answer.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return events.Message{}, false, err
		}
		message.Header = ownHeader(header)
	}
	return message, true, nil
}

func statusError(msg *nats.Msg) error {
	status, detail := said(msg.Header, headerStatus), said(msg.Header, headerDetail)
	if status == "503" {
		return nats.ErrNoResponders
	}
	if status == "" && detail == "" {
		return errors.New("the broker's answer has no status")
	}
	return fmt.Errorf("the broker answers %s %s", status, detail)
}

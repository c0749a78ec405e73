package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A publication that nobody takes is tried again, for a stream that chooses a
// leader takes nothing for a moment.
const (
	storeTries = 3
	storePause = 250 * time.Millisecond
)

// store publishes a message into its stream and returns its sequence. Errors
// are classified by [explained].
func (b *Bus) store(ctx context.Context, msg *nats.Msg) (uint64, error) {
	for try := 1; ; try++ {
		answer, err := b.exchange.ask(ctx, msg)
		if err == nil {
			sequence, err := storedAt(answer.Data)
			return sequence, explained(err)
		}
		if !errors.Is(err, nats.ErrNoResponders) || try == storeTries || ctx.Err() != nil {
			return 0, explained(err)
		}
		pause(ctx, storePause)
	}
}

// storedAt reads the broker's answer to a publication.
func storedAt(data []byte) (uint64, error) {
	if sequence, ok := plainAck(data); ok {
		return sequence, nil
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("%w: %w", jetstream.ErrInvalidJSAck, err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Stream == "" {
		return 0, jetstream.ErrInvalidJSAck
	}
	return ack.Sequence, nil
}

// plainAck reads the form in which the broker answers nearly always,
//
//	{"stream":"NAME","seq":123}
//
// and leaves every other to the JSON decoder, which would take longer than the
// broker took to store the message.
func plainAck(data []byte) (sequence uint64, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	if !ok {
		return 0, false
	}
	stream, rest, ok := bytes.Cut(rest, []byte(`","seq":`))
	if !ok || len(stream) == 0 || bytes.ContainsAny(stream, `"\`) {
		return 0, false
	}
	digits, ok := bytes.CutSuffix(rest, []byte("}"))
	if !ok {
		return 0, false
	}
	sequence, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, false
	}
	return sequence, true
}

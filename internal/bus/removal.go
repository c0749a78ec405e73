package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// answerDeleted is how the broker says that a message is deleted. Another
// version may say it otherwise, and is read as JSON.
const answerDeleted = `{"type":"io.nats.jetstream.api.v1.stream_msg_delete_response","success":true}`

// Remove takes a request out; one that is gone already is no error.
func (r *Requests) Remove(ctx context.Context, sequence uint64) error {
	answer, err := r.bus.exchange.ask(ctx, removal(events.StreamRequests, sequence))
	if err != nil {
		return fmt.Errorf("removing request %d: %w", sequence, err)
	}
	return r.removed(ctx, sequence, answer)
}

// removeLater is [Requests.Remove] without the wait: done hears what became of
// it, once, from another goroutine, and must not block. When removeLater itself
// returns an error, nothing was asked and done is not called.
func (r *Requests) removeLater(ctx context.Context, sequence uint64, done func(error)) error {
	err := r.bus.exchange.send(removal(events.StreamRequests, sequence), func(answer *nats.Msg, err error) {
		switch {
		case err != nil:
			done(fmt.Errorf("removing request %d: %w", sequence, err))
		case string(answer.Data) == answerDeleted:
			done(nil)
		default: // to look further takes a question of its own
			go func() { done(r.removed(ctx, sequence, answer)) }()
		}
	})
	if err != nil {
		return fmt.Errorf("removing request %d: %w", sequence, err)
	}
	return nil
}

// removal asks to delete without overwriting the message on disk, which is slow.
func removal(stream string, sequence uint64) *nats.Msg {
	body := append(strconv.AppendUint([]byte(`{"seq":`), sequence, 10), `,"no_erase":true}`...)
	return &nats.Msg{Subject: apiDelete + stream, Data: body}
}

// removed reads the broker's answer. A refusal may mean that the request was
// gone already: the leader of the stream knows.
func (r *Requests) removed(ctx context.Context, sequence uint64, msg *nats.Msg) error {
	if err := r.bus.removed(ctx, events.StreamRequests, sequence, msg); err != nil {
		return fmt.Errorf("removing request %d: %w", sequence, err)
	}
	return nil
}

func (b *Bus) removed(ctx context.Context, stream string, sequence uint64, msg *nats.Msg) error {
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Success bool                `json:"success"`
	}
	err := json.Unmarshal(msg.Data, &answer)
	if err == nil && answer.Success {
		return nil
	}
	_, found, err := b.leader(ctx, stream, directQuery{Sequence: sequence})
	switch {
	case err != nil:
		return err
	case found && answer.Error != nil:
		return answer.Error
	case found:
		return ErrUncertain
	}
	return nil
}

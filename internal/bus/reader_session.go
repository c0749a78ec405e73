package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
)

// readerSession is a reader's life with one consumer.
type readerSession struct {
	reader   *reader
	puller   *puller
	moved    <-chan nats.Status
	deliver  deliverFunc
	batch    []events.Headline
	consumed uint64 // by the consumer's count
	pending  uint64 // beyond the last message of the batch
}

func (s *readerSession) run(ctx context.Context) error {
	silence := time.NewTimer(2 * readerHeartbeat)
	defer silence.Stop()
	for {
		if s.puller.left == 0 {
			if err := s.puller.ask(pullQuery{Batch: readerWindow, Expires: readerExpiry, Heartbeat: readerHeartbeat}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.moved:
			return errMoved
		case <-silence.C:
			return errSilent
		case msg := <-s.puller.messages:
			silence.Reset(2 * readerHeartbeat)
			if err := s.gather(msg); err != nil {
				return err
			}
		}
	}
}

// gather takes the message and all that are at hand behind it.
func (s *readerSession) gather(msg *nats.Msg) error {
	for msg != nil {
		if err := s.take(msg); err != nil {
			return err
		}
		if len(s.batch) == readerBatch {
			break
		}
		select {
		case msg = <-s.puller.messages:
		default:
			msg = nil
		}
	}
	if len(s.batch) == 0 {
		return nil
	}
	return s.flush(s.pending == 0)
}

func (s *readerSession) take(msg *nats.Msg) error {
	isMessage, idle, err := s.puller.accept(msg)
	if err != nil {
		return err
	}
	// What was waiting when we came may have been removed since, so that no
	// message ever says that it is the last. An idle pull says so too.
	if idle && !s.reader.caughtUp && len(s.batch) == 0 {
		return s.flush(true)
	}
	if !isMessage {
		return nil
	}
	size := len(msg.Data)
	if s.reader.config.HeadersOnly {
		stated, _ := saidNumber(msg.Header, headerSize)
		size = int(stated) //nolint:gosec // the broker's own count of a message that it could hold
	}
	message, place, ok := delivered(msg)
	if !ok || place.Sequence.Consumer != s.consumed+1 {
		return fmt.Errorf("%w: %d have come", errGap, s.consumed)
	}
	s.consumed, s.pending = place.Sequence.Consumer, place.NumPending
	s.batch = append(s.batch, events.Headline{Message: message, Size: size})
	return nil
}

func (s *readerSession) flush(atEnd bool) error {
	r, n := s.reader, len(s.batch)
	if atEnd || n > 0 && s.batch[n-1].Sequence >= r.end {
		r.caughtUp = true
	}
	if err := s.deliver(s.batch, r.caughtUp); err != nil {
		return deliverError{err}
	}
	if n > 0 {
		r.next = s.batch[n-1].Sequence + 1
		s.batch = make([]events.Headline, 0, readerBatch)
	}
	return nil
}

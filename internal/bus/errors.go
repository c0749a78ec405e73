package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// Sentinels.
var (
	// ErrInvalidConfig occurs when a configuration breaks a rule; the text
	// names the field.
	ErrInvalidConfig = errors.New("invalid bus configuration")
	// ErrUncertain occurs when the broker's answer to a publication was lost:
	// the message may be stored or not, now or in a moment.
	ErrUncertain = session.ErrUncertain
	// ErrForbidden occurs when the credentials of the connection do not permit
	// a subject; the error that wraps it names the subject.
	ErrForbidden = errors.New("the broker forbids the subject")
	// ErrBacklogFull occurs when a tenant has as many requests waiting as the
	// broker keeps for one; the error that wraps it names tenant and limit.
	ErrBacklogFull = errors.New("the tenant's backlog is full")
	// ErrBusy occurs when as many grants are on their way to the broker as the
	// client keeps track of.
	ErrBusy = errors.New("too many grants are on their way")
	// ErrMissing occurs when a stream or a durable consumer that a part needs
	// does not exist; provisioning creates it.
	ErrMissing = errors.New("not provisioned")
	// ErrIncomplete occurs when the broker's answer to a read ended early.
	ErrIncomplete = errors.New("the answer ended early")
	// ErrNoLeader occurs when no scheduler answers within the asker's time: none
	// runs, or none leads yet.
	ErrNoLeader = errors.New("no scheduler leads: nobody answers")
	// ErrPanic occurs when a handler panics; the stack is in the log.
	ErrPanic = errors.New("the handler panicked")
)

// Codes and a text of the broker's that jetstream has no name for. The broker
// has one code for everything that its store refuses, so the text decides.
const (
	codeHeaderTooLarge jetstream.ErrorCode = 10097
	codeStoreFailed    jetstream.ErrorCode = 10077
	codeNoPeers        jetstream.ErrorCode = 10005
	codeNoLeader       jetstream.ErrorCode = 10008
	textSubjectFull                        = "maximum messages per subject exceeded"
)

func isStale(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func isSubjectFull(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refusal.ErrorCode == codeStoreFailed && refusal.Description == textSubjectFull
}

func isTooLarge(err error) bool {
	if refusal, ok := errors.AsType[*jetstream.APIError](err); ok {
		return refusal.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum || refusal.ErrorCode == codeHeaderTooLarge
	}
	return errors.Is(err, nats.ErrMaxPayload)
}

// isRefused reports whether the message of a failed publication is known not
// to be stored. Everything else leaves it open.
func isRefused(err error) bool {
	if _, ok := errors.AsType[*jetstream.APIError](err); ok {
		return true
	}
	for _, known := range []error{
		ErrForbidden, jetstream.ErrNoStreamResponse, jetstream.ErrTooManyStalledMsgs, nats.ErrNoResponders, nats.ErrMaxPayload,
		nats.ErrBadSubject, nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrReconnectBufExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// explained classifies the error of a publication, once, for every stream.
func explained(err error) error {
	switch {
	case err == nil:
		return nil
	case isTooLarge(err):
		return fmt.Errorf("%w: %w", events.ErrTooLarge, err)
	case isRefused(err):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
}

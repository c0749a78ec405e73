package metering

import (
	"errors"
	"strconv"

	"github.com/feira-dev/feira/events"
)

// Reasons of the meter's dead letters.
const (
	reasonMalformed   = "malformed"
	reasonUnknownType = "unknown_type"
	reasonInvalid     = "invalid"
	reasonMismatch    = "mismatch"
)

// letter is the dead letter of a message of SESSIONS. Its id follows from the
// message's place, so that a batch handled again makes no second one.
func letter(message events.Message, unfit *unfitError) (events.Message, error) {
	tenant, err := events.SubjectTenant(message.Subject)
	if err != nil {
		tenant = "" // the letter goes to the unknown tenant's subject
	}
	id := events.StreamSessions + ":" + strconv.FormatUint(message.Sequence, 10)
	env := events.Envelope{ID: id, Source: "/streams/" + events.StreamSessions, Time: message.Time, Tenant: tenant}
	died := &events.LetterDied{
		Stream: events.StreamSessions, Sequence: message.Sequence, Subject: message.Subject,
		Reason: unfit.reason, Detail: unfit.detail(), Header: message.Header, Data: message.Data, Size: len(message.Data), Deliveries: 1,
	}
	subject := events.DeadSubject(tenant, events.StreamSessions)
	encoded, err := events.Encode(subject, env, died)
	if errors.Is(err, events.ErrTooLarge) {
		died.Data = nil
		encoded, err = events.Encode(subject, env, died)
	}
	if errors.Is(err, events.ErrTooLarge) {
		died.Header = nil
		encoded, err = events.Encode(subject, env, died)
	}
	if err != nil {
		return events.Message{}, err
	}
	encoded.Header.Set(events.HeaderMsgID, string(tenant)+":"+id)
	return encoded, nil
}

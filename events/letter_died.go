package events

import "errors"

// TypeLetterDied names [LetterDied].
const TypeLetterDied Type = "feira.letter.died.v1"

// LetterDied is a message that was given up, with all that is needed to see
// why and to send it again.
type LetterDied struct {
	// Stream and Sequence say where the message was.
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	Subject  string `json:"subject"`
	// Reason is a code, Detail a sentence that names the field at fault.
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	// Header and Data are the message's own. Data is left out where the
	// message was too large to keep; Size tells its length in bytes.
	Header Header `json:"header,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Size   int    `json:"size"`
	// Deliveries is how often it had been delivered.
	Deliveries int `json:"deliveries"`
}

// EventType implements [Event].
func (*LetterDied) EventType() Type { return TypeLetterDied }

// Validate implements [Event].
func (e *LetterDied) Validate() error {
	var faults []error
	if e.Stream == "" {
		faults = append(faults, errors.New("stream is missing"))
	}
	if e.Reason == "" {
		faults = append(faults, errors.New("reason is missing"))
	}
	return errors.Join(faults...)
}

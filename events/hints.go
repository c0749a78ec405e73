package events

// WorkerAnnounced is what a worker says of itself once a second (core NATS):
// never stored, never the truth about a run.
type WorkerAnnounced struct {
	ID    string `json:"id"`
	Slots int    `json:"slots"`
	Busy  int    `json:"busy"`
}

// Control is an order to a running session (core NATS).
type Control struct {
	Action ControlAction `json:"action"`
	// Request is the one that is meant; every running one of the session when empty.
	Request RequestID `json:"request,omitempty"`
	// Sequence is the request's in REQUESTS, by which a scheduler knows it.
	Sequence uint64 `json:"sequence,omitempty"`
	// Reason is a sentence for people, for the ending's detail.
	Reason string `json:"reason,omitempty"`
}

// ControlAction is what a [Control] orders.
type ControlAction string

// ActionCancel ends the running turn as cancelled. A scheduler that has the
// request queued looks whether it has been ended.
const ActionCancel ControlAction = "cancel"

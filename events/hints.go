package events

// WorkerAnnounced is what a worker says of itself once a second (core NATS):
// never stored, never the truth about a run.
type WorkerAnnounced struct {
	ID    string `json:"id"`
	Slots int    `json:"slots"`
	Busy  int    `json:"busy"`
}

// RunEnded is the hint that a run has left RUNS (core NATS).
type RunEnded struct {
	Sequence uint64 `json:"sequence"`
	// Released is set when the request was not finished and wants a new grant.
	Released bool `json:"released,omitempty"`
}

// Control is an order to a running session (core NATS).
type Control struct {
	Action  ControlAction `json:"action"`
	Request RequestID     `json:"request,omitempty"`
}

// ControlAction is what a [Control] orders.
type ControlAction string

// ActionCancel ends the running turn as cancelled.
const ActionCancel ControlAction = "cancel"

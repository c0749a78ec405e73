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
	Action  ControlAction `json:"action"`
	Request RequestID     `json:"request,omitempty"`
}

// ControlAction is what a [Control] orders.
type ControlAction string

// ActionCancel ends the running turn as cancelled.
const ActionCancel ControlAction = "cancel"

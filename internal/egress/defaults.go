package egress

import "time"

// Defaults of whoever calls hosts that others run. They are the same for all of
// them, so that a tenant has one idea of how much it may ask, and how long a call
// takes at most.
const (
	DefaultTimeout         = 30 * time.Second
	DefaultMaxResponse     = 1 << 20
	DefaultMaxOutput       = 64 << 10
	DefaultConcurrency     = 16
	DefaultQueueWait       = 5 * time.Second
	DefaultBreakerFailures = 10
	DefaultBreakerOpen     = 30 * time.Second
)

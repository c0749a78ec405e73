package natskv

import (
	"sync/atomic"
	"time"
)

// brokerClock tells the broker's time, as near as can be told here and never
// later than it is. It trusts this machine's clock only to run at the right
// speed: whatever time the broker has stamped on something, it was that late at
// the broker when the stamp was read. It is safe for concurrent use.
type brokerClock struct {
	base   time.Time    // when it was made, here
	behind atomic.Int64 // what the broker's clock said at base, at least, in microseconds since 1970
}

func newBrokerClock() *brokerClock { return &brokerClock{base: time.Now()} }

// now is in microseconds since 1970, by the broker's clock.
func (c *brokerClock) now() int64 { return c.behind.Load() + time.Since(c.base).Microseconds() }

// saw takes in a stamp that has just been read.
func (c *brokerClock) saw(stamp time.Time) {
	least := stamp.UnixMicro() - time.Since(c.base).Microseconds()
	for {
		before := c.behind.Load()
		if least <= before || c.behind.CompareAndSwap(before, least) {
			return
		}
	}
}

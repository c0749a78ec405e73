package bus

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// corkRoom is how many bytes may wait to be written; whoever writes more waits.
	corkRoom = 1 << 20
	// corkPatience is how long the other side may take none of them before the
	// connection counts as lost.
	corkPatience = 10 * time.Second
	// corkClosing is how long what is left may take when the connection closes.
	corkClosing = time.Second
)

// corkDialer makes connections that gather small writes. It implements
// nats.CustomDialer.
type corkDialer struct{ timeout time.Duration }

// Dial implements nats.CustomDialer.
func (d corkDialer) Dial(network, address string) (net.Conn, error) {
	// The client's interface has no context to pass; the time-out bounds the call.
	conn, err := net.DialTimeout(network, address, d.timeout) //nolint:noctx // see above
	if err != nil {
		return nil, err
	}
	return newCorked(conn), nil
}

// corked is a connection whose writes are handed to a goroutine, which lives as
// long as there is something to write. The client writes to the socket under its
// lock, so that publishers queue up behind a system call that carries one or two
// of their messages; on a busy worker these calls took a seventh of all time.
// Here a write is a copy, and what is written while one call is under way goes
// out with the next.
//
// Before each call the goroutine yields once: whoever can run and has something
// to say does so first. Where nobody can, yielding returns at once, so a quiet
// connection pays nothing for it.
//
// A write that has returned may still be lost, as in any socket's buffer; the
// client's flush waits for the broker's word, and so do all that need to know.
type corked struct {
	net.Conn

	mu      sync.Mutex // guards what follows
	room    sync.Cond  // something was written, or nothing will be any more
	pending []byte
	spare   []byte // what was written last, to be filled again
	pumping bool   // there is a goroutine
	closing bool
	err     error // why nothing is written any more
}

func newCorked(conn net.Conn) *corked {
	c := &corked{Conn: conn}
	c.room.L = &c.mu
	return c
}

// Write implements net.Conn.
func (c *corked) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > corkRoom && c.err == nil && !c.closing {
		c.room.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closing:
		return 0, net.ErrClosed
	}
	c.pending = append(c.pending, data...)
	if !c.pumping {
		c.pumping = true
		go c.pump()
	}
	return len(data), nil
}

// Close implements net.Conn. It does not wait: what is pending goes out first,
// if the other side takes it soon.
func (c *corked) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	c.room.Broadcast()
	if !c.pumping {
		return c.Conn.Close()
	}
	return c.Conn.SetWriteDeadline(time.Now().Add(corkClosing))
}

// SetDeadline implements net.Conn for reads; writes have a bound of their own.
func (c *corked) SetDeadline(at time.Time) error { return c.SetReadDeadline(at) }

// SetWriteDeadline implements net.Conn. A write waits for nothing that a
// deadline could end.
func (c *corked) SetWriteDeadline(time.Time) error { return nil }

// pump writes until nothing is pending, or the connection breaks.
func (c *corked) pump() {
	for {
		runtime.Gosched()
		out, ok := c.next()
		if !ok {
			return
		}
		if _, err := c.Conn.Write(out); err != nil {
			c.fail(err)
			return
		}
	}
}

// next takes what is pending; false when there is nothing, and with it the
// goroutine ends.
func (c *corked) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.pending
	if len(out) == 0 {
		c.pumping = false
		if c.closing {
			_ = c.Conn.Close()
		}
		return nil, false
	}
	c.pending, c.spare = c.spare[:0], out
	if cap(out) > 2*corkRoom {
		c.spare = nil // a flood does not keep its memory
	}
	c.room.Broadcast()
	if !c.closing {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(corkPatience))
	}
	return out, true
}

// fail ends the connection: its reader finds out by that.
func (c *corked) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.pumping = err, false
	c.room.Broadcast()
	_ = c.Conn.Close()
}

package sandbox

import (
	"net"
	"net/http"
	"sync"
)

// newcomers are the connections on which nothing has been said. Clients dial
// some and never use them, and [http.Server.Shutdown] waits 5 s for each.
type newcomers struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// note is the server's ConnState.
func (n *newcomers) note(conn net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		if n.closed {
			_ = conn.Close()
			return
		}
		n.conns[conn] = struct{}{}
	case http.StateActive, http.StateIdle, http.StateHijacked, http.StateClosed:
		delete(n.conns, conn)
	}
}

// close sends them away, and those that still come.
func (n *newcomers) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for conn := range n.conns {
		_ = conn.Close()
	}
}

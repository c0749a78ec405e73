package testenv

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy is a wire that a test may freeze or cut, between a client and a server
// that know nothing of it. It is safe for concurrent use.
type Proxy struct {
	// URL is what the client connects to.
	URL string

	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu     sync.Mutex    // guards what follows
	thawed chan struct{} // closed while bytes may pass
	frozen bool
	ended  chan struct{} // closed when the test has ended
	conns  map[net.Conn]struct{}
}

// NewProxy starts a proxy for one server, "nats://host:port". It ends with the
// test.
func NewProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	scheme, target, _ := strings.Cut(server, "://")
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It ends with the test.
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p := &Proxy{
		URL: scheme + "://" + listener.Addr().String(), target: target, listener: listener,
		thawed: make(chan struct{}), ended: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	close(p.thawed)
	p.pumps.Go(p.accept)
	t.Cleanup(func() {
		close(p.ended)
		_ = listener.Close()
		p.Cut()
		p.pumps.Wait()
	})
	return p
}

// Freeze holds back every byte, both ways, without closing anything: the other
// side seems to be there and says nothing.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen {
		p.frozen = true
		p.thawed = make(chan struct{})
	}
}

// Thaw lets all that was held back, and what follows, pass.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen {
		p.frozen = false
		close(p.thawed)
	}
}

// Cut closes every connection, and what was held back on them is lost. New ones
// are let in.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target) //nolint:noctx // It ends with the test.
		if err != nil {
			_ = client.Close()
			continue
		}
		p.join(client, server)
	}
}

func (p *Proxy) join(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.ended: // the last cut has been made
		_, _ = client.Close(), server.Close()
		return
	default:
	}
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.pumps.Go(func() { p.pump(server, client) })
	p.pumps.Go(func() { p.pump(client, server) })
}

// pump passes bytes on until either side closes, then closes both.
func (p *Proxy) pump(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	_, _ = io.Copy(writerFunc(func(b []byte) (int, error) {
		p.mu.Lock()
		thawed := p.thawed
		p.mu.Unlock()
		select {
		case <-thawed:
			return to.Write(b)
		case <-p.ended:
			return 0, net.ErrClosed
		}
	}), from)
}

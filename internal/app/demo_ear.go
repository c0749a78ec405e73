package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/internal/webhook"
)

// earTime bounds the headers of what comes to an ear, and its end.
const earTime = 5 * time.Second

// DemoDelivery is an event as a tenant's own endpoint was told of it.
type DemoDelivery struct {
	ID     string `json:"id"`
	Event  string `json:"event"`
	Server string `json:"server,omitempty"`
	Object string `json:"object"`
}

// ear is a tenant's own endpoint: it takes what Standard Webhooks' signature
// proves, each event once, and nothing else.
type ear struct {
	server   *http.Server
	listener net.Listener
	served   chan error
	now      func() time.Time

	mu         sync.Mutex // guards what follows
	lock       webhook.Lock
	heard      []DemoDelivery
	known      map[string]bool
	repeated   int
	unverified int
}

// newEar listens at a free port of this machine.
func newEar(ctx context.Context, now func() time.Time) (*ear, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for a tenant's events: %w", err)
	}
	e := &ear{listener: listener, served: make(chan error, 1), now: now, known: map[string]bool{}}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: earTime}
	go func() { e.served <- e.server.Serve(listener) }()
	return e, nil
}

func (e *ear) url() string { return "http://" + e.listener.Addr().String() + "/feira" }

// trust says by which secret the events are proven.
func (e *ear) trust(secret string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lock = webhook.Lock{Scheme: webhook.SchemeStandard, Keys: []webhook.Key{{Text: secret}}}
}

// ServeHTTP implements [http.Handler].
func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, trigger.MaxBody))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	proof, err := webhook.Verify(e.lock, webhook.Delivery{Header: r.Header.Get, Body: body}, e.now())
	var told struct {
		Type   string `json:"type"`
		Server string `json:"server_id"`
		Object string `json:"object"`
	}
	if err = errors.Join(err, json.Unmarshal(body, &told)); err != nil {
		e.unverified++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.known[proof.ID] {
		e.repeated++ // it may come again, and means nothing new
		return
	}
	e.known[proof.ID] = true
	e.heard = append(e.heard, DemoDelivery{ID: proof.ID, Event: told.Type, Server: told.Server, Object: told.Object})
}

// lacks are those of some events that were not heard.
func (e *ear) lacks(wanted []string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	missing := []string{}
	for _, id := range wanted {
		if !e.known[id] {
			missing = append(missing, id)
		}
	}
	return missing
}

// report tells what was heard.
func (e *ear) report(to *DemoPayment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	to.Deliveries = append([]DemoDelivery{}, e.heard...)
	to.Unverified, to.Repeated = e.unverified, e.repeated
}

func (e *ear) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), earTime)
	defer cancel()
	err := e.server.Shutdown(ctx)
	if served := <-e.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

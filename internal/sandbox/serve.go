package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// Paths for people and scripts.
const (
	journalPath       = "/_sandbox/journal"
	conversationsPath = "/_sandbox/conversations"
	webhooksPath      = "/_sandbox/webhooks"
	// actPath has the server's name behind it.
	actPath = "/_sandbox/"
)

// headerTimeout bounds how long a client may take over its headers.
const headerTimeout = 10 * time.Second

// Stop implements [lifecycle.Part]. The address is free afterwards.
func (s *Sandbox) Stop(ctx context.Context) error {
	err := s.Runner.Stop(ctx)
	_ = s.listener.Close() // It is closed already, unless the sandbox never ran.
	return err
}

// run serves until fetch ends, and then lets requests end until work does.
// Hanging requests end with fetch: nobody waits for them.
func (s *Sandbox) run(fetch, work context.Context, ready func()) error {
	silent := &newcomers{conns: map[net.Conn]struct{}{}}
	server := &http.Server{
		ConnState:         silent.note,
		Handler:           s.handler(fetch.Done()),
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return work },
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}
	send, stopSending := context.WithCancel(fetch)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		s.outbox.Run(send)
	}()
	defer func() {
		stopSending()
		<-sending
	}()
	stopped := make(chan error, 1)
	go func() {
		<-fetch.Done()
		silent.close()
		err := server.Shutdown(work)
		if err != nil {
			err = server.Close()
		}
		stopped <- err
	}()
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	ready()
	err := <-served
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// handler gives every server its path.
func (s *Sandbox) handler(stopping <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	for server, place := range s.stalls {
		target := fault.Target{Server: server, Refuse: place.Refuse, Stopping: stopping}
		mux.Handle(actPath+server+"/", http.StripPrefix(actPath+server, place.Acts()))
		mux.Handle("/"+server+"/", http.StripPrefix("/"+server, s.faults.Handler(target, s.observed(server, place))))
	}
	target := fault.Target{Server: ModelServer, Refuse: s.model.Refuse, Stopping: stopping}
	mux.Handle("/"+ModelServer+"/", http.StripPrefix("/"+ModelServer, s.faults.Handler(target, s.model.Handler(stopping))))
	mux.HandleFunc("GET "+journalPath, s.serveJournal)
	mux.HandleFunc("GET "+conversationsPath, s.serveConversations)
	mux.HandleFunc("GET "+webhooksPath, s.serveWebhooks)
	return onlyLoopback(mux)
}

// onlyLoopback refuses everybody else, by whatever way they came.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.RemoteAddr) {
			http.Error(w, "the sandbox serves this machine alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Sandbox) serveJournal(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	writeJSON(w, map[string]any{"entries": s.journal.Entries(journal.Filter{
		Server: query.Get("server"), Account: query.Get("account"), Effect: query.Get("effect"),
		Object: query.Get("object"), Key: query.Get("key"), Reference: query.Get("reference"),
	})})
}

func (s *Sandbox) serveConversations(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"conversations": s.model.Conversations()})
}

func (s *Sandbox) serveWebhooks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"webhooks": s.Webhooks()})
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

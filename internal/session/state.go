// Package session is a session as a log: its state is the fold of its events
// and nothing else.
//
//	(empty) ──session.opened──► open ──session.closed──► closed
//
//	a request:  ──turn.started──► started ──turn.completed──► ended
//	                 ▲  └─turn.started (take-over)┘
//	                 model.replied, tool.returned add to it on the way
//
// A session with mocks counts by its log too: each tool.returned says which
// answer of a list it was given, and the next one follows from those folded.
//
// It owns the fold, the ids that events get from their cause, and the form of
// an append. It promises that folding is deterministic, that folding an event
// again changes nothing, and that of two owners of a request only the later
// one is the owner.
//
// It does no I/O and keeps no time: reading, appending and fencing are asked of
// the log through an [Entry]. A [State] belongs to one goroutine at a time.
package session

import (
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
)

// State is what is known of a session after some of its log.
type State struct {
	Tenant events.TenantID
	ID     ID

	Opened      bool
	Closed      bool
	Servers     []string
	Environment events.Environment
	Routes      map[string]string
	Metadata    map[string]string
	// Mocks answer the session's tools; nil when it was opened without any.
	Mocks *mock.Set

	// Last is the sequence of the last event folded, 0 for none.
	Last uint64

	open    map[events.RequestID]*Turn
	ended   map[events.RequestID]events.TurnStatus
	history []*Turn
	// answered is how many answers of a tool's list of mocks were given.
	answered map[string]int
}

// New is the state of a session of which nothing is known.
func New(tenant events.TenantID, id ID) *State {
	return &State{
		Tenant: tenant, ID: id,
		open:  make(map[events.RequestID]*Turn),
		ended: make(map[events.RequestID]events.TurnStatus),

		answered: make(map[string]int),
	}
}

// Turn returns the request of that id while it is started and not ended.
func (s *State) Turn(request events.RequestID) (*Turn, bool) {
	turn, ok := s.open[request]
	return turn, ok
}

// Ended returns how the request of that id ended; false while it has not.
func (s *State) Ended(request events.RequestID) (events.TurnStatus, bool) {
	status, ok := s.ended[request]
	return status, ok
}

// History lists the ended agent turns, the oldest first. It is not to be
// changed.
func (s *State) History() []*Turn { return s.history }

// OpenTurns is how many requests are started and not ended.
func (s *State) OpenTurns() int { return len(s.open) }

// Answered is how many answers of a tool's list of mocks the session was given,
// by the tool's name among the mocks.
func (s *State) Answered(tool string) int { return s.answered[tool] }

// Apply folds one event in. An event at or before Last is passed over, so a
// tail may be folded again. A record without an event, of a type that this
// version does not know, only moves Last. An event of a request that was never
// started is [ErrGap].
func (s *State) Apply(record events.Record) error {
	if record.Sequence <= s.Last {
		return nil
	}
	if err := s.fold(record); err != nil {
		return fmt.Errorf("folding %s at sequence %d of session %s: %w", record.Type, record.Sequence, s.ID, err)
	}
	s.Last = record.Sequence
	return nil
}

// ApplyAll folds events in order.
func (s *State) ApplyAll(records []events.Record) error {
	for _, record := range records {
		if err := s.Apply(record); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) fold(record events.Record) error {
	switch event := record.Event.(type) {
	case *events.SessionOpened:
		s.Opened = true
		s.Servers, s.Environment, s.Routes, s.Metadata = event.Servers, event.Environment, event.Routes, event.Metadata
		if event.Mocks != nil {
			s.Mocks = mock.Read(event.Mocks)
		}
	case *events.SessionClosed:
		s.Closed = true
	case *events.WebhookReceived:
		// It moves no turn, and may come when the session is closed.
		s.hear(event)
	case *events.TurnStarted:
		s.start(record.Request, event, record.Time)
	case *events.TurnCompleted:
		s.complete(record.Request, event)
	case *events.ModelReplied:
		turn, ok := s.open[record.Request]
		if !ok {
			return ErrGap
		}
		return turn.reply(event)
	case *events.ToolReturned:
		turn, ok := s.open[record.Request]
		if !ok {
			return ErrGap
		}
		if err := turn.toolReturned(event); err != nil {
			return err
		}
		if event.Mock != nil && event.Status == events.ToolOK {
			s.answered[event.Mock.Tool] = max(s.answered[event.Mock.Tool], event.Mock.Index)
		}
	}
	return nil
}

// hear keeps what a provider told of a call of ours with the call. What nobody
// could confirm proves nothing.
func (s *State) hear(event *events.WebhookReceived) {
	place, err := events.ParseToolCallID(string(event.ToolCall))
	if err != nil || place.Session != s.ID || event.Unconfirmed {
		return
	}
	turn, ok := s.open[place.Request]
	for i := len(s.history) - 1; !ok && i >= 0; i-- {
		turn, ok = s.history[i], s.history[i].Request == place.Request
	}
	if ok {
		turn.hear(place, event)
	}
}

func (s *State) start(request events.RequestID, event *events.TurnStarted, at time.Time) {
	if _, ended := s.ended[request]; ended {
		return
	}
	turn, ok := s.open[request]
	if !ok {
		turn = &Turn{
			Request: request, Sequence: event.RequestSequence, Kind: event.Kind,
			Message: event.Message, Call: event.Call, Metadata: event.Metadata, Started: at,
		}
		if event.Kind == events.KindCall {
			turn.Steps = []Step{{}}
		}
		s.open[request] = turn
	}
	turn.Attempt, turn.Worker = event.Attempt, event.Worker
}

func (s *State) complete(request events.RequestID, event *events.TurnCompleted) {
	if _, ended := s.ended[request]; ended {
		return
	}
	s.ended[request] = event.Status
	turn, ok := s.open[request]
	if !ok {
		return // refused before it was started
	}
	delete(s.open, request)
	if turn.Kind == events.KindTurn {
		turn.Answer = event.Message
		s.history = append(s.history, turn)
	}
}

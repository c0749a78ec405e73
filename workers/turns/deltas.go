package turns

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/lifecycle"
)

const (
	// DefaultDeltaEvery is how long text of one reply is gathered.
	DefaultDeltaEvery = 40 * time.Millisecond
	// MaxDeltaText is the longest text of one message, in bytes; what exceeds it
	// is dropped.
	MaxDeltaText = 16 << 10
	// MaxDeltas is how many messages leave in one interval; then text is gathered
	// for longer, the oldest first.
	MaxDeltas = 512
)

// Teller tells who listens of a piece of the model's text. It does not wait
// for the broker.
type Teller interface {
	Delta(tenant events.TenantID, session events.SessionID, delta events.ModelDelta) error
}

// DeltasConfig is what deltas are made of.
type DeltasConfig struct {
	Teller Teller
	Logger *slog.Logger
	// Every is how long text of one reply is gathered. Defaults to
	// [DefaultDeltaEvery].
	Every time.Duration
}

// Deltas tells of the models' text as it arrives, which is a preview and may be
// lost. The first text of a reply leaves at once, what follows is gathered, so
// that a chatty model makes no flood; the last of it leaves before the reply is
// written down. It is safe for concurrent use.
type Deltas struct {
	lifecycle.Part
	cfg DeltasConfig

	mu   sync.Mutex // guards what follows
	held map[place]*heldText
	line []*heldText // with text, the oldest first
	room int         // messages that may yet leave in this interval
	ill  bool        // the last one could not be told
}

// heldText is what is gathered of a session's replies.
type heldText struct {
	place place
	delta events.ModelDelta
	text  strings.Builder
}

// NewDeltas makes the part. It is to stop after what calls [Deltas.Hear].
func NewDeltas(cfg DeltasConfig) (*Deltas, error) {
	if cfg.Teller == nil || cfg.Logger == nil {
		return nil, errors.New("turns: deltas need a teller and a logger")
	}
	if cfg.Every == 0 {
		cfg.Every = DefaultDeltaEvery
	}
	d := &Deltas{cfg: cfg, held: make(map[place]*heldText), room: MaxDeltas}
	d.Part = lifecycle.NewRunner("worker deltas", d.run)
	return d, nil
}

func (d *Deltas) run(fetch, _ context.Context, ready func()) error {
	tick := time.NewTicker(d.cfg.Every)
	defer tick.Stop()
	ready()
	for {
		select {
		case <-fetch.Done():
			return nil
		case <-tick.C:
			d.flush()
		}
	}
}

// Hear takes in a piece of a reply.
func (d *Deltas) Hear(piece agent.Delta) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := place{tenant: piece.Tenant, id: piece.Session}
	held, gathering := d.held[at]
	if piece.Over {
		if gathering {
			d.tell(held)
			delete(d.held, at)
		}
		return
	}
	if gathering && (held.delta.Request != piece.Request || held.delta.Iteration != piece.Iteration) {
		d.tell(held) // of an earlier reply, whose end was not told
		gathering = false
	}
	if !gathering {
		held = &heldText{place: at, delta: events.ModelDelta{Request: piece.Request, Iteration: piece.Iteration}}
		d.held[at] = held
	}
	d.gather(held, piece.Text)
	if !gathering && d.room > 0 {
		d.tell(held)
	}
}

// gather adds to the text, as much as there is room for.
func (d *Deltas) gather(held *heldText, text string) {
	if held.text.Len() == 0 {
		d.line = append(d.line, held)
	}
	if room := MaxDeltaText - held.text.Len(); len(text) > room {
		text = strings.ToValidUTF8(text[:room], "")
	}
	held.text.WriteString(text)
}

// flush tells what was gathered, and lets what comes next of a session leave at
// once.
func (d *Deltas) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = MaxDeltas
	line := d.line
	for len(line) > 0 && d.room > 0 {
		d.tell(line[0])
		line = line[1:]
	}
	d.line = line
	for at, held := range d.held {
		if held.text.Len() == 0 {
			delete(d.held, at)
		}
	}
}

// tell sends what is gathered, if anything is.
func (d *Deltas) tell(held *heldText) {
	if held.text.Len() == 0 {
		return
	}
	held.delta.Text = held.text.String()
	held.text.Reset()
	d.room--
	err := d.cfg.Teller.Delta(held.place.tenant, held.place.id, held.delta)
	if err != nil && !d.ill {
		d.cfg.Logger.Warn("telling of the model's text", "error", err)
	}
	d.ill = err != nil
}

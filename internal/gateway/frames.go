package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// frames writes server-sent events: LF alone, one data line each, for clients
// that split at an empty line and know no other. Its writer is a [paced] one. It
// is safe for concurrent use.
type frames struct {
	clock *http.ResponseController
	w     http.ResponseWriter

	mu   sync.Mutex
	err  error
	beat *time.Timer
	rest time.Duration
	over bool
}

// newFrames begins a stream: the headers leave at once.
func newFrames(w http.ResponseWriter, heartbeat time.Duration) *frames {
	out := &frames{clock: http.NewResponseController(w), w: w, rest: heartbeat}
	w.WriteHeader(http.StatusOK)
	out.mu.Lock()
	defer out.mu.Unlock()
	out.err = out.clock.Flush()
	out.beat = time.AfterFunc(heartbeat, out.heartbeat)
	return out
}

// send writes one event; id is empty for one that cannot be resumed from. Its
// error stays: a client that took in too little for too long has left.
func (f *frames) send(id, event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("laying out %s: %w", event, err)
	}
	var out bytes.Buffer
	if id != "" {
		out.WriteString("id: " + id + "\n")
	}
	out.WriteString("event: " + event + "\ndata: ")
	out.Write(text)
	out.WriteString("\n\n")
	return f.write(out.Bytes())
}

func (f *frames) write(text []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || f.over {
		return f.err
	}
	if _, f.err = f.w.Write(text); f.err == nil {
		f.err = f.clock.Flush()
	}
	f.beat.Reset(f.rest)
	return f.err
}

// heartbeat keeps whoever waits, and what is between, from taking silence for
// an end. One that fails ends the request's context, and so the wait.
func (f *frames) heartbeat() { _ = f.write([]byte(": heartbeat\n\n")) }

func (f *frames) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.beat.Stop()
}

// eventID is a place in a stream: a fact's sequence in the log, and which of
// its frames.
type eventID struct {
	sequence uint64
	frame    int
}

// String is the form that travels.
func (e eventID) String() string {
	return strconv.FormatUint(e.sequence, 10) + "." + strconv.Itoa(e.frame)
}

// behind reports whether a frame comes after another.
func (e eventID) behind(other eventID) bool {
	return e.sequence > other.sequence || e.sequence == other.sequence && e.frame > other.frame
}

func parseEventID(text string) (eventID, error) {
	if text == "" {
		return eventID{}, nil
	}
	sequence, frame, _ := strings.Cut(text, ".")
	at, badSequence := strconv.ParseUint(sequence, 10, 64)
	n, badFrame := strconv.Atoi(frame)
	if badSequence != nil || badFrame != nil || n < 1 {
		return eventID{}, problem(http.StatusBadRequest, CodeInvalidRequest, "is no id of this stream").at("Last-Event-ID")
	}
	return eventID{at, n}, nil
}

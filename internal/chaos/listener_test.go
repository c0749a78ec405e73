package chaos_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// told is one event of a stream that has an id, as the client read it.
type told struct{ id, event, data string }

// listener is a client of one send, which reads its stream at one gateway and
// goes on at another. It belongs to one goroutine, but for what it signals.
type listener struct {
	key     string // of the API
	session string
	message string
	resend  bool // resumes by sending again under its idempotency key, else by the request's address
	client  *http.Client

	request string
	events  []told
	greeted int  // user_message events, which have no id
	ended   bool // by done
	first   chan struct{}
}

// ask sends, or sends the same again, and reads until the stream ends or breaks.
func (l *listener) ask(ctx context.Context, at string) error {
	body, err := json.Marshal(map[string]string{"message": l.message})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/v1/sessions/"+l.session+"/send", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "send-"+l.session)
	return l.read(request)
}

// resume goes on behind the last event that was read whole.
func (l *listener) resume(ctx context.Context, at string) error {
	if l.resend || l.request == "" {
		return l.ask(ctx, at)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/v1/sessions/"+l.session+"/requests/"+l.request+"/events", http.NoBody)
	if err != nil {
		return err
	}
	return l.read(request)
}

// read takes in frames until the stream is over. Half a frame is none: a client
// has seen an event when its empty line has come.
func (l *listener) read(request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+l.key)
	request.Header.Set("Accept", "text/event-stream")
	if n := len(l.events); n > 0 {
		request.Header.Set("Last-Event-ID", l.events[n-1].id)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, answer.Status)
	}
	l.request = answer.Header.Get("X-Feira-Request")
	lines, frame := bufio.NewScanner(answer.Body), told{}
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			frame.id = value
		case "event":
			frame.event = value
		case "data":
			frame.data = value
		case "":
			if lines.Text() == "" {
				l.take(frame)
				frame = told{}
			}
		}
	}
	return lines.Err()
}

var errRefused = errors.New("the gateway refuses the stream")

func (l *listener) take(frame told) {
	switch {
	case frame.id != "":
		l.events = append(l.events, frame)
		if len(l.events) == 1 {
			close(l.first)
		}
	case frame.event == "user_message":
		l.greeted++
	}
	l.ended = l.ended || frame.event == "done"
}

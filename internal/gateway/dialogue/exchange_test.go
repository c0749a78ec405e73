package dialogue_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience bounds an exchange.
const patience = time.Minute

// Answer is what came back.
type Answer struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
}

// Exchange sends a request as it stands, with what HTTP itself needs added:
// Host, Content-Length and the end of the connection. The text has LF, which
// goes out as CRLF as far as the body.
func Exchange(ctx context.Context, address, text string) (*Answer, error) {
	var dial net.Dialer
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the answer has been read
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	if _, err := conn.Write(rawRequest(address, text)); err != nil {
		return nil, fmt.Errorf("sending the request: %w", err)
	}
	return readAnswer(bufio.NewReader(conn))
}

func rawRequest(address, text string) []byte {
	head, body, _ := strings.Cut(text, "\n\n")
	head, body = strings.TrimSuffix(head, "\n"), strings.TrimSuffix(body, "\n")
	var out bytes.Buffer
	line, rest, _ := strings.Cut(head, "\n")
	out.WriteString(line + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n")
	if body != "" && !strings.Contains(strings.ToLower(rest), "content-length:") {
		out.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	if rest != "" {
		out.WriteString(strings.ReplaceAll(rest, "\n", "\r\n") + "\r\n")
	}
	out.WriteString("\r\n" + body)
	return out.Bytes()
}

func readAnswer(in *bufio.Reader) (*Answer, error) {
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer's body: %w", err)
	}
	return &Answer{Status: response.StatusCode, Proto: response.Proto, Header: response.Header, Body: string(body)}, nil
}

// maxShown is how much of an answer a script shows, and cutShown how much of a
// longer one.
const (
	maxShown = 7 << 10
	cutShown = 1 << 10
)

// String is the answer as a script has it: its headers in order, without those
// that say nothing of the gateway.
func (a *Answer) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d %s\n", a.Status, http.StatusText(a.Status))
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		switch name {
		case "Date", "Connection", "Content-Length", "Cache-Control", "X-Content-Type-Options":
			continue // the same on every answer, and shown once by a test of their own
		}
		for _, value := range a.Header[name] {
			out.WriteString(name + ": " + value + "\n")
		}
	}
	body := a.Body
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		body = withoutNoise(body)
	}
	out.WriteString("\n" + body)
	if !strings.HasSuffix(out.String(), "\n") {
		out.WriteString("{no newline}\n")
	}
	return out.String()
}

// cut shortens what is too long for a script, whose form must be settled before:
// what is drawn at random has no certain length.
func cut(text string) string {
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:cutShown], "") + "{cut}\n"
}

// withoutNoise drops the frames whose number depends on how fast things go.
func withoutNoise(stream string) string {
	var out strings.Builder
	for frame := range strings.SplitAfterSeq(stream, "\n\n") {
		if !strings.HasPrefix(frame, ": ") && !strings.Contains(frame, "event: assistant_delta\n") {
			out.WriteString(frame)
		}
	}
	return out.String()
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer is how much of a gateway's answer is read.
const maxAnswer = 32 << 20

var errNoKey = errors.New("an API key is missing: set FEIRA_API_KEY, as in FEIRA_API_KEY=$(feira key create)")

// exchange is what a gateway is asked.
type exchange struct {
	method string
	path   string
	body   any // nil for none
}

// ask makes one exchange with a gateway, and shows the answer: as it came with
// --json, as people read it otherwise. The key is in a header, and in nothing that
// is printed.
func (i *invocation) ask(at *gatewayFlags, what exchange, into any, human func(w io.Writer)) error {
	answer, err := at.exchange(i.ctx, what)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	return i.show(json.RawMessage(bytes.TrimSpace(answer)), human)
}

func (f *gatewayFlags) exchange(ctx context.Context, what exchange) ([]byte, error) {
	key := f.Key.Reveal()
	if key == "" {
		return nil, errNoKey
	}
	base, err := url.Parse(f.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil {
		return nil, errors.New("url is not one of a gateway: http:// or https://, and a host")
	}
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	var content io.Reader = http.NoBody
	if what.body != nil {
		text, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("laying out the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, what.method, strings.TrimSuffix(f.URL, "/")+what.path, content)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if f.once != "" {
		request.Header.Set("Idempotency-Key", f.once)
	}
	// A redirect could lead the key to another host.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, refused(response.StatusCode, answer)
	}
	return answer, nil
}

// refused words a problem of the gateway's.
func refused(status int, answer []byte) error {
	var problem struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Field     string `json:"field"`
		RequestID string `json:"request_id"`
	}
	if json.Unmarshal(answer, &problem) != nil || problem.Code == "" {
		return fmt.Errorf("the gateway answered %d", status)
	}
	if problem.Field != "" {
		problem.Message = problem.Field + ": " + problem.Message
	}
	return fmt.Errorf("the gateway answered %d %s: %s (%s)", status, oneLine(problem.Code), oneLine(problem.Message), oneLine(problem.RequestID))
}

package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

const (
	// maxAnswer is how much of an answer is read.
	maxAnswer = 4 << 20
	// maxTold is how much of an answer an error may hold.
	maxTold = 300
)

// wire makes requests to the one host of an export.
type wire struct {
	config Config
	client *http.Client
	base   string
	// authorize puts the credential on a request.
	authorize func(*http.Request)
	scrubber  *egress.Scrubber
}

func newWire(config Config, authorize func(*http.Request)) *wire {
	made := &wire{config: config, client: config.client(), base: config.Settings.URL, authorize: authorize, scrubber: &egress.Scrubber{}}
	made.scrubber.Add(config.Key)
	return made
}

// bearer is the authorization that most take.
func bearer(key string) func(*http.Request) {
	return func(request *http.Request) {
		if key != "" {
			request.Header.Set("Authorization", "Bearer "+key)
		}
	}
}

// letter is one request.
type letter struct {
	method, path string
	query        url.Values
	kind         string // content type of the body
	body         []byte
	headers      map[string]string
}

// answer is what came back, whatever its status.
type answer struct {
	status int
	body   []byte
}

// send makes a request until there is an answer that another try would not
// change. What it returns without error has a status below 500 that is not 408,
// 425 or 429.
func (w *wire) send(ctx context.Context, letter letter) (answer, error) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(w.config.Pause), backoff.WithMaxElapsedTime(0))
	bounded := backoff.WithContext(backoff.WithMaxRetries(pauses, uint64(max(w.config.Tries-1, 0))), ctx)
	return backoff.RetryNotifyWithData(func() (answer, error) { return w.try(ctx, letter) }, bounded, func(err error, wait time.Duration) {
		w.config.Logger.WarnContext(ctx, "telling again", "export", w.config.Settings.Name, "error", err, "wait", wait)
	})
}

func (w *wire) try(ctx context.Context, letter letter) (answer, error) {
	address := w.base + letter.path
	if len(letter.query) > 0 {
		address += "?" + letter.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, letter.method, address, bytes.NewReader(letter.body))
	if err != nil {
		return answer{}, backoff.Permanent(fmt.Errorf("%w: the address cannot be used", ErrSettings))
	}
	if letter.kind != "" {
		request.Header.Set("Content-Type", letter.kind)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "feira")
	for name, value := range letter.headers {
		request.Header.Set(name, value)
	}
	w.authorize(request)
	response, err := w.client.Do(request)
	if err != nil {
		fault := fmt.Errorf("%w: %w", ErrUnreachable, egress.WithoutURL(err))
		if egress.Prohibited(err) || ctx.Err() != nil {
			return answer{}, backoff.Permanent(fault)
		}
		return answer{}, fault
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, egress.WithoutURL(err))
	}
	got := answer{status: response.StatusCode, body: body}
	switch {
	case got.status == http.StatusRequestTimeout, got.status == http.StatusTooEarly, got.status == http.StatusTooManyRequests, got.status >= 500:
		return answer{}, fmt.Errorf("%w: %s", ErrUnreachable, w.tell(got))
	}
	return got, nil
}

// tell is an answer as an error may hold it: short, printable, without what
// looks like a secret.
func (w *wire) tell(got answer) string {
	return fmt.Sprintf("status %d: %s", got.status, hostile.Clip(w.scrubber.Scrub(hostile.Clean(string(got.body))), maxTold))
}

// refusal is the error of an answer that is no success.
func (w *wire) refusal(got answer) error {
	if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
		return fmt.Errorf("%w: the key is not accepted (FEIRA_EXPORT_KEY): %s", ErrRefused, w.tell(got))
	}
	return fmt.Errorf("%w: %s", ErrRefused, w.tell(got))
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// get asks for JSON.
func (w *wire) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	got, err := w.send(ctx, letter{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, err
	}
	if !got.ok() {
		return nil, w.refusal(got)
	}
	return got.body, nil
}

// errNoWord occurs when the other side cannot be asked what it has.
var errNoWord = errors.New("it cannot be asked")

package llm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxErrorBody is how much of an error's body is read.
const maxErrorBody = 64 << 10

// exchange carries one try over HTTP on behalf of go-openai, which would hide
// the headers of an error and read answers without bound. Every error that it
// returns is a *failure.
type exchange struct {
	client *Client
	// answered is set once the operator has answered with success: an error
	// after that is the answer's, before it the prompt's.
	answered bool
}

// Do implements go-openai's HTTPDoer.
func (e *exchange) Do(request *http.Request) (*http.Response, error) {
	config := e.client.config
	e.client.authorize(request)
	request.Header.Set("User-Agent", config.UserAgent)
	response, err := e.client.http.Do(request) //nolint:gosec // the address is the process's own setting
	if err != nil {
		return nil, e.client.unreachable(request.Context(), err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer discard(response.Body)
		return nil, e.client.turnedDown(response)
	}
	e.answered = true
	response.Body = &boundedBody{body: response.Body, left: config.MaxAnswer, most: config.MaxAnswer}
	if strings.HasPrefix(request.Header.Get("Accept"), "text/event-stream") {
		return e.stream(request.Context(), response)
	}
	return e.whole(request.Context(), response)
}

// whole reads the answer to its end, so that a broken connection is not taken
// for broken JSON.
func (e *exchange) whole(ctx context.Context, response *http.Response) (*http.Response, error) {
	defer discard(response.Body)
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, e.client.brokenOff(ctx, err)
	}
	if told, ok := readOperatorError(data); ok {
		return nil, e.client.toldWithin(told)
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	return response, nil
}

// stream refuses what is no stream: go-openai would find no line in it, and
// take that for a stream that ended.
func (e *exchange) stream(ctx context.Context, response *http.Response) (*http.Response, error) {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "text/html" {
		// go-openai drops a last line that no line end follows.
		body := response.Body
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(body, strings.NewReader("\n\n")), body}
		return response, nil
	}
	defer discard(response.Body)
	data, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	if err != nil {
		return nil, e.client.brokenOff(ctx, err)
	}
	if told, ok := readOperatorError(data); ok {
		return nil, e.client.toldWithin(told)
	}
	return nil, rubbish("a stream was asked for, and %s came", kind)
}

// unreachable reads an error before any answer. The URL is left out of it.
func (c *Client) unreachable(ctx context.Context, err error) *failure {
	if ctx.Err() != nil {
		return passing(context.Cause(ctx), c.scrub(context.Cause(ctx).Error()))
	}
	if located, ok := errors.AsType[*url.Error](err); ok {
		err = located.Err
	}
	return passing(err, "reaching the operator: "+c.scrub(err.Error()))
}

// brokenOff reads an error within an answer.
func (c *Client) brokenOff(ctx context.Context, err error) *failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return known
	}
	if ctx.Err() != nil {
		return passing(context.Cause(ctx), c.scrub(context.Cause(ctx).Error()))
	}
	return passing(err, "the answer broke off: "+c.scrub(err.Error()))
}

// turnedDown reads an answer without success.
func (c *Client) turnedDown(response *http.Response) *failure {
	data, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody)) // the status says enough
	told, _ := readOperatorError(data)
	text := told.describe(response.StatusCode, c.scrub)
	if !passes(response, told) {
		return refusal(text)
	}
	failed := passing(nil, text)
	failed.wait = retryAfter(response.Header, c.config.Now())
	return failed
}

// toldWithin reads an error that came with a success.
func (c *Client) toldWithin(told operatorError) *failure {
	text := told.describe(0, c.scrub)
	if told.forGood() {
		return refusal(text)
	}
	return passing(nil, text)
}

func passes(response *http.Response, told operatorError) bool {
	switch response.Header.Get("X-Should-Retry") { // OpenAI's word, over any rule of ours
	case "true":
		return true
	case "false":
		return false
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		return !told.forGood()
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return true
	default:
		return response.StatusCode >= http.StatusInternalServerError
	}
}

// retryAfter reads the wait that the operator asks for: milliseconds, seconds
// or a date; 0 when it asks for none.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if millis, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(millis, time.Millisecond)
	}
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return bounded(seconds, time.Second)
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

func bounded(count float64, unit time.Duration) time.Duration {
	const most = 24 * time.Hour
	if !(count > 0) { // NaN as well
		return 0
	}
	return time.Duration(min(count*float64(unit), float64(most)))
}

// discard closes a body that has been read as far as it matters.
func discard(body io.Closer) { _ = body.Close() }

// boundedBody ends in garbage where an answer exceeds its bound.
type boundedBody struct {
	body io.ReadCloser
	left int64
	most int64
}

// Read implements [io.Reader].
func (b *boundedBody) Read(buffer []byte) (int, error) {
	if b.left <= 0 {
		var probe [1]byte
		if n, err := b.body.Read(probe[:]); n == 0 {
			return 0, err
		}
		return 0, rubbish("it has more than %d bytes", b.most)
	}
	n, err := b.body.Read(buffer[:min(int64(len(buffer)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Close implements [io.Closer].
func (b *boundedBody) Close() error { return b.body.Close() }

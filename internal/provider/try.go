package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/feira-dev/feira/internal/egress"
)

// answer is what one try came to.
type answer struct {
	// err is why there is no usable answer; nil when there is one. It names no URL.
	err error
	// sent is set when the provider may have received the call.
	sent   bool
	status int // 0 when there was no answer
	header http.Header
	body   []byte
	// tooLarge is set when the body was longer than may be read.
	tooLarge bool
	// token is the short-lived token that the call carried.
	token string
}

// try sends a request once and reads what comes back.
func (a *account) try(ctx context.Context, t *tool, laid request, key string) answer {
	ctx, cancel := context.WithTimeout(ctx, t.tryTimeout(a.server.manifest, a.client.config.Timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, laid.method, a.address(laid), bytes.NewReader(laid.body))
	if err != nil {
		return answer{err: errors.New("the request cannot be made")}
	}
	if laid.body == nil {
		request.Body, request.GetBody = http.NoBody, nil
	}
	a.client.setHeaders(request.Header, a.server.manifest)
	for name, value := range laid.headers {
		request.Header.Set(name, value)
	}
	if laid.contentType != "" {
		request.Header.Set("Content-Type", laid.contentType)
	}
	if key != "" {
		request.Header.Set(a.server.manifest.Idempotency.Header, key)
	}
	var sent atomic.Bool // the transport dials in goroutines of its own
	injector := &injector{account: a, next: a.transport(t), secrets: t.Secrets, dispatch: func(ctx context.Context) context.Context {
		return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	}}
	client := &http.Client{Transport: injector, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return answer{err: egress.WithoutURL(err), sent: sent.Load(), token: injector.token}
	}
	defer func() { _ = response.Body.Close() }()
	got := a.client.read(response)
	got.token = injector.token
	return got
}

func (a *account) address(laid request) string {
	address := a.base + laid.path
	if laid.query != "" {
		address += "?" + laid.query
	}
	return address
}

// transport gives calls that may not be repeated a connection of their own.
func (a *account) transport(t *tool) http.RoundTripper {
	if t.Safety.Repeatable() {
		return egress.Gate{Origins: a.origins, Next: a.server.wire.Pooled}
	}
	return egress.Gate{Origins: a.origins, Next: a.server.wire.Fresh}
}

// read takes in no more of a body than may be read.
func (c *Client) read(response *http.Response) answer {
	got := answer{sent: true, status: response.StatusCode, header: response.Header}
	body, err := io.ReadAll(io.LimitReader(response.Body, c.config.MaxResponse+1))
	switch {
	case err != nil && got.ok():
		got.err = egress.WithoutURL(err)
	case int64(len(body)) > c.config.MaxResponse:
		got.tooLarge = true
	default:
		got.body = body
	}
	return got
}

func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// timedOut tells a try that took too long from one that was cut off.
func (a answer) timedOut() bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(a.err, context.DeadlineExceeded) || errors.As(a.err, &timeout) && timeout.Timeout()
}

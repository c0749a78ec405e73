package mcp

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/feira-dev/feira/internal/egress"
)

const (
	defaultHeader = "Authorization"
	// listenWait is how long a session's opening waits for the answer to its
	// stream of notifications. Some servers give none before the first of them.
	listenWait = time.Second
	// listenMethod opens such a stream since the protocol of 2026-07-28.
	listenMethod = "subscriptions/listen"
)

// carrier sends the requests of one session. It is the one place where a
// credential meets a request, and binds each to the life of the session: the
// SDK lets some run on without an end.
type carrier struct {
	life   context.Context //nolint:containedctx // it ends the requests that outlive their callers
	to     target
	agent  string
	max    int
	pooled http.RoundTripper
	fresh  http.RoundTripper
	// opening is the trial of requests that are no tool call.
	opening *trial
}

// newCarrier makes the way to a target's URL.
func (c *Client) newCarrier(life context.Context, to target, opening *trial) (*carrier, error) {
	parsed, err := url.Parse(to.endpoint.URL)
	if err != nil {
		return nil, errPlain
	}
	origin := egress.Origin(parsed)
	wire := c.public
	if c.private[origin] {
		wire = c.operator
	} else if parsed.Scheme != "https" {
		return nil, errPlain
	}
	gate := func(next http.RoundTripper) http.RoundTripper {
		return egress.Gate{Origins: map[string]bool{origin: true}, Next: next}
	}
	return &carrier{
		life: life, to: to, agent: "feira/" + c.config.Version, max: c.config.MaxResponse,
		pooled: gate(wire.Pooled), fresh: gate(wire.Fresh), opening: opening,
	}, nil
}

// RoundTrip implements [http.RoundTripper].
func (c *carrier) RoundTrip(original *http.Request) (*http.Response, error) {
	watched, first := trialOf(original)
	ctx, cancel := context.WithCancel(original.Context())
	stop := context.AfterFunc(c.life, cancel) //nolint:contextcheck // the session's life and the request's context both end it
	release := func() {
		stop()
		cancel()
	}
	next := c.pooled
	if first {
		ctx, next = watched.traced(ctx), c.fresh
	}
	request := original.Clone(ctx)
	request.Header.Set("User-Agent", c.agent)
	c.authorise(request.Header)
	if notifying(request) {
		return c.listen(request, release)
	}
	response, err := next.RoundTrip(request)
	if watched == nil {
		watched, first = c.opening, true
	}
	if err != nil {
		release()
		if first {
			watched.failed(err)
		}
		return nil, err
	}
	if first {
		watched.answered(response)
	}
	response.Body = &bounded{body: response.Body, left: c.max + 1, overflowed: watched.overflowed, release: release}
	if first && baseType(response) == "application/json" {
		return whole(response, watched)
	}
	return response, nil
}

// authorise writes the credential.
func (c *carrier) authorise(header http.Header) {
	switch {
	case c.to.token == "":
	case c.to.attached.Header == "":
		header.Set(defaultHeader, "Bearer "+c.to.token)
	default:
		header.Set(c.to.attached.Header, c.to.token)
	}
}

// whole reads an answer before the SDK sees it, for which half of one breaks
// the session of all calls.
func whole(response *http.Response, watched *trial) (*http.Response, error) {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		watched.failed(err)
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// notifying tells the request for a stream of notifications.
func notifying(request *http.Request) bool {
	if request.Method == http.MethodGet {
		_, ofCall := request.Context().Value(trialKey{}).(*trial)
		return !ofCall
	}
	return request.Header.Get("Mcp-Method") == listenMethod
}

// listen asks for a stream of notifications. Whatever becomes of it, the SDK
// sees a stream that stays open for the session's life: it would give a session
// up for a stream that is optional, and wait for its first byte without an end.
func (c *carrier) listen(request *http.Request, release func()) (*http.Response, error) {
	heard := make(chan *http.Response, 1)
	go func() {
		response, err := c.pooled.RoundTrip(request)
		if err != nil {
			response = nil
		}
		heard <- response
	}()
	stream := &patient{life: c.life, ctx: request.Context(), heard: heard, release: release}
	timer := time.NewTimer(listenWait)
	defer timer.Stop()
	select {
	case response := <-heard:
		stream.open(response)
	case <-timer.C:
	case <-request.Context().Done():
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: stream, ContentLength: -1, Request: request,
	}, nil
}

// baseType is an answer's media type without its parameters.
func baseType(response *http.Response) string {
	base, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return base
}

// bounded is a body of which no more is read than may be.
type bounded struct {
	body       io.ReadCloser
	left       int
	overflowed func()
	release    func()
}

// Read implements [io.Reader].
func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.body.Read(into[:min(len(into), b.left)])
	if b.left -= n; b.left <= 0 {
		b.overflowed()
		return n, errTooLarge
	}
	return n, err
}

// Close implements [io.Closer].
func (b *bounded) Close() error {
	defer b.release()
	return b.body.Close()
}

// patient is a stream of notifications that ends with its session. It is read
// by one goroutine.
type patient struct {
	life    context.Context //nolint:containedctx // its end is the stream's
	ctx     context.Context //nolint:containedctx // of the request
	heard   chan *http.Response
	release func()
	body    io.ReadCloser
	over    bool
}

// open takes the answer, if it is a stream.
func (p *patient) open(response *http.Response) {
	switch {
	case response == nil:
		p.over = true
	case response.StatusCode != http.StatusOK || baseType(response) != "text/event-stream":
		_ = response.Body.Close()
		p.over = true
	default:
		p.body = response.Body
	}
}

// Read implements [io.Reader].
func (p *patient) Read(into []byte) (int, error) {
	if p.body == nil && !p.over {
		select {
		case response := <-p.heard:
			p.open(response)
		case <-p.ctx.Done():
			return 0, io.EOF
		}
	}
	if !p.over {
		n, err := p.body.Read(into)
		if err == nil || n > 0 {
			return n, nil
		}
		p.over = true
	}
	<-p.ctx.Done()
	return 0, io.EOF
}

// Close implements [io.Closer].
func (p *patient) Close() error {
	p.release()
	switch {
	case p.body != nil:
		return p.body.Close()
	case p.over:
		return nil
	}
	// The answer may still come; its body is closed then.
	go func() {
		if response := <-p.heard; response != nil {
			_ = response.Body.Close()
		}
	}()
	return nil
}

// client follows no redirect.
func (c *carrier) client() *http.Client {
	return &http.Client{Transport: c, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

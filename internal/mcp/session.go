package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	// maxAge is how long a session is used. The SDK keeps every page of tools
	// that it has seen in a session.
	maxAge = 30 * time.Minute
	// closeGrace is how long a server may take over the end of a session.
	closeGrace = 2 * time.Second
)

// session is a connection to an MCP server, for one target.
type session struct {
	to      target
	opened  time.Time
	speaker *sdk.ClientSession
	// wire is what the SDK holds on to; it is closed whatever the SDK does.
	wire *wired
	// end ends all requests of the session, or kills its command.
	end context.CancelFunc
	// over is closed with the connection, by whoever of the two.
	over chan struct{}

	// Under the mutex of the pool:
	users  int
	gone   bool        // out of the pool
	left   time.Time   // by its last user
	expiry *time.Timer // runs while there are no users
}

// wired remembers the connection that a transport makes.
type wired struct {
	sdk.Transport
	connection sdk.Connection
}

// Connect implements [sdk.Transport].
func (w *wired) Connect(ctx context.Context) (sdk.Connection, error) {
	connection, err := w.Transport.Connect(ctx)
	w.connection = connection
	return connection, err
}

// openError is why a session was not opened.
type openError struct {
	err  error
	wire outcome
}

func (e *openError) Error() string { return "opening a session: " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }

// dial opens a session, or says why not, when ctx ends at the latest.
func (c *Client) dial(ctx context.Context, to target, changed func()) (*session, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	opening := &trial{abort: end}
	transport, err := c.transport(life, to, opening)
	if err != nil {
		end()
		return nil, &openError{err: err}
	}
	made := &session{to: to, opened: c.config.Now(), wire: &wired{Transport: transport}, end: end, over: make(chan struct{})}
	client := sdk.NewClient(&sdk.Implementation{Name: "feira", Version: c.config.Version}, &sdk.ClientOptions{
		// A server is offered nothing: it is a stranger.
		Capabilities:           &sdk.ClientCapabilities{},
		MultiRoundTrip:         &sdk.MultiRoundTripOptions{Disabled: true},
		ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) { changed() },
		Logger:                 slog.New(slog.DiscardHandler),
	})
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("%w: %T", errBroke, cause)
			}
			done <- err
		}()
		made.speaker, err = client.Connect(ctx, made.wire, nil)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		end() // for the parts of it that ctx does not end
		err = errors.Join(ctx.Err(), <-done)
	}
	if err != nil {
		end()
		made.shut()
		return nil, &openError{err: err, wire: opening.outcome()}
	}
	return made, nil
}

func (c *Client) transport(life context.Context, to target, opening *trial) (sdk.Transport, error) {
	if to.endpoint.URL == "" {
		running, err := c.start(life, to)
		if err != nil {
			return nil, err
		}
		return &sdk.IOTransport{Reader: kept{running.output}, Writer: running, MaxLineLength: c.config.MaxResponse}, nil
	}
	carrier, err := c.newCarrier(life, to, opening)
	if err != nil {
		return nil, err
	}
	return &sdk.StreamableClientTransport{
		Endpoint: to.endpoint.URL, HTTPClient: carrier.client(), MaxRetries: 2,
		// The carrier looks at the size of an answer first, which it can tell.
		MaxEventSize: 2 * c.config.MaxResponse,
	}, nil
}

// ended reports whether the connection is no more.
func (s *session) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// shut ends a session politely and then for sure.
func (s *session) shut() {
	timer := time.AfterFunc(closeGrace, s.end)
	defer timer.Stop()
	if s.speaker != nil {
		_ = s.speaker.Close()
	}
	if s.wire.connection != nil {
		_ = s.wire.connection.Close()
	}
	s.end()
}

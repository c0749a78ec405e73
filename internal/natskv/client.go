package natskv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// connectPatience bounds the first connection where the context does not.
	connectPatience = 5 * time.Second
	// reconnectWait is the pause between tries to find the broker again.
	reconnectWait = 250 * time.Millisecond
)

// Client is a connection to NATS for the buckets. It is safe for concurrent
// use, finds the broker again when it was lost, and is closed by its owner when
// all that was opened on it has stopped.
type Client struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	logger *slog.Logger
}

// Connect opens a connection.
func Connect(ctx context.Context, config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("connecting to NATS: %w", context.Cause(ctx))
	}
	conn, err := nats.Connect(config.URL, config.options(ctx)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to NATS: %w", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening JetStream: %w", err)
	}
	return &Client{conn: conn, js: js, logger: config.Logger}, nil
}

func (c Config) options(ctx context.Context) []nats.Option {
	patience := connectPatience
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	background := context.WithoutCancel(ctx)
	options := []nats.Option{
		nats.Name(c.Name),
		nats.Timeout(patience),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		// While the broker is away a write fails at once. Kept and sent later, it
		// would come after its writer has given it up: a dead leader's refresh
		// would hold the lease against the living.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.Logger.WarnContext(background, "nats connection lost", slog.String("name", c.Name), slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			c.Logger.InfoContext(background, "nats connection found again", slog.String("name", c.Name))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.Logger.WarnContext(background, "nats connection error", slog.String("name", c.Name), slog.Any("error", err))
		}),
	}
	switch {
	case c.CredsFile != "":
		options = append(options, nats.UserCredentials(c.CredsFile))
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password))
	}
	return options
}

// ServerVersion is that of the broker that the client is connected to.
func (c *Client) ServerVersion() string { return c.conn.ConnectedServerVersion() }

// Close ends the connection. What watches or holds a lease on it fails.
func (c *Client) Close() { c.conn.Close() }

// bucket is one open bucket.
type bucket struct {
	jetstream.KeyValue

	client *Client
}

func (c *Client) open(ctx context.Context, name string) (*bucket, error) {
	kv, err := c.js.KeyValue(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return nil, fmt.Errorf("opening bucket %s: %w", name, ErrNoBucket)
	case err != nil:
		return nil, fmt.Errorf("opening bucket %s: %w", name, err)
	}
	return &bucket{KeyValue: kv, client: c}, nil
}

// missing reports whether a read found nothing.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted)
}

// refused reports whether a write met another revision than it expected.
func refused(err error) bool {
	return errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists)
}

func removed(entry jetstream.KeyValueEntry) bool {
	return entry.Operation() != jetstream.KeyValuePut
}

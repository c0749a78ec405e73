package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connectRetry is how long to wait before another attempt to connect.
const connectRetry = 250 * time.Millisecond

// Bus is a connection to the broker. It is safe for concurrent use.
type Bus struct {
	config   Config
	nc       *nats.Conn
	js       jetstream.JetStream
	closed   chan struct{} // closed with the connection
	exchange *exchange
	ear      *ear
	grants   *grants
	usage    jetstream.JetStream
	keeping  sync.WaitGroup // of the exchange and the ear
}

// Connect returns when the connection stands; a broker that is not there yet
// is tried until ctx ends. Once it stood it is kept up for ever: when it is
// lost, that is logged and tried again until Close.
func Connect(ctx context.Context, config Config) (*Bus, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config, err := config.withoutSecrets()
	if err != nil {
		return nil, err
	}
	b := &Bus{config: config, closed: make(chan struct{}), exchange: newExchange(config.Timeout)}
	if err := b.dial(ctx); err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", config.URL, err)
	}
	if err := b.open(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close lets running callbacks end, sends what is buffered, and closes the
// connection.
func (b *Bus) Close() {
	if err := b.nc.Drain(); err != nil {
		b.nc.Close()
	}
	<-b.closed
	b.keeping.Wait()
}

func (b *Bus) open() error {
	b.exchange.open(b.nc)
	b.keeping.Go(func() { b.exchange.keep(b.closed) })
	b.ear = newEar(b)
	b.keeping.Go(func() { b.ear.listen(b.closed) })
	var err error
	if b.js, err = jetstream.New(b.nc, jetstream.WithDefaultTimeout(b.config.Timeout)); err != nil {
		return fmt.Errorf("opening JetStream: %w", err)
	}
	b.grants = &grants{exchange: b.exchange}
	if b.usage, err = jetstream.New(b.nc, jetstream.WithPublishAsyncMaxPending(usagePending),
		jetstream.WithPublishAsyncTimeout(b.config.Timeout)); err != nil {
		return fmt.Errorf("opening JetStream for usage: %w", err)
	}
	return nil
}

func (b *Bus) dial(ctx context.Context) error {
	for {
		nc, err := nats.Connect(b.config.URL, b.options(ctx)...)
		if err == nil {
			b.nc = nc
			return nil
		}
		if !isAbsent(err) {
			return err
		}
		b.config.Logger.WarnContext(ctx, "broker is not there yet", slog.String("url", b.config.URL), slog.Any("error", err))
		timer := time.NewTimer(connectRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// isAbsent reports whether another attempt to connect may help.
func isAbsent(err error) bool {
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected)
}

func (b *Bus) options(ctx context.Context) []nats.Option {
	logger := b.config.Logger
	ctx = context.WithoutCancel(ctx)
	options := []nats.Option{
		nats.Name(b.config.Name),
		nats.MaxReconnects(-1),
		nats.SetCustomDialer(corkDialer{timeout: nats.DefaultTimeout}),
		nats.IgnoreAuthErrorAbort(), // credentials may be renewed while we are away
		nats.ReconnectWait(connectRetry),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsDraining() && !nc.IsClosed() {
				logger.WarnContext(ctx, "connection to the broker is lost", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			logger.InfoContext(ctx, "connection to the broker is back", slog.String("server", nc.ConnectedServerName()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			b.exchange.deny(err)
			logger.ErrorContext(ctx, "broker reports an error", slog.String("subject", subject), slog.Any("error", err))
		}),
	}
	switch {
	case b.config.CredsFile != "":
		options = append(options, nats.UserCredentials(b.config.CredsFile))
	case b.config.User != "":
		options = append(options, nats.UserInfo(b.config.User, b.config.Password))
	}
	if b.config.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(b.config.InboxPrefix))
	}
	return options
}

// bounded gives ctx the default time limit where it has none.
func (b *Bus) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, b.config.Timeout)
}

package bus_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/testenv"
)

const secret = "hunter2-is-no-password"

func TestConnectNeverTellsThePassword(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	host := strings.TrimPrefix(server.URL, "nats://")
	for name, config := range map[string]bus.Config{
		"wrong":          {URL: server.URL, User: "nobody", Password: secret},
		"in the address": {URL: "nats://nobody:" + secret + "@" + host},
		"unreadable":     {URL: "nats://nobody:" + secret + "@bad host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logBook{}
			config.Logger = slog.New(log)
			_, err := bus.Connect(t.Context(), config)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, strings.Join(log.all(), "\n"), secret)
		})
	}
}

func TestConnectTakesCredentialsFromTheAddress(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	host := strings.TrimPrefix(server.URL, "nats://")
	b, err := bus.Connect(t.Context(), bus.Config{
		URL: "nats://" + server.User + ":" + server.Password + "@" + host, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	b.Close()
}

func TestConnectValidates(t *testing.T) {
	t.Parallel()
	_, err := bus.Connect(t.Context(), bus.Config{Password: secret, CredsFile: "x", Timeout: -1})
	require.ErrorIs(t, err, bus.ErrInvalidConfig)
	for _, field := range []string{"password", "timeout", "logger"} {
		require.ErrorContains(t, err, field)
	}
}

func TestConnectWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	server.Stop(t)
	connected := make(chan error, 1)
	log := &logBook{}
	go func() {
		b, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, Logger: slog.New(log)})
		if err == nil {
			b.Close()
		}
		connected <- err
	}()
	require.Eventually(t, func() bool { return len(log.all()) > 0 }, patience, time.Millisecond, "it says that it waits")
	server.Start(t)
	require.NoError(t, receive(t, connected, "the connection"))

	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := bus.Connect(ctx, bus.Config{URL: server.URL, Logger: slog.New(log)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A producer with a tenant's credentials may publish requests of that tenant
// and nothing else, and is told so at once.
func TestForbiddenSubjectsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	server, err := natsd.New(natsd.Config{
		Users: []natsd.User{natsd.OperatorUser("feira", "operator-password"), natsd.TenantUser(acme, secret)},
	})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) })
	setupOn(t, &testenv.Server{URL: server.ClientURL(), User: "feira", Password: "operator-password"}, bus.Topology{})
	open := func(prefix string) *bus.Bus {
		producer, err := bus.Connect(t.Context(), bus.Config{
			URL: server.ClientURL(), User: string(acme), Password: secret, InboxPrefix: prefix,
			Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		t.Cleanup(producer.Close)
		return producer
	}
	producer := open(natsd.InboxPrefix(acme))
	publish(t, producer, request(t, acme, "", "hello"))

	_, err = producer.Requests().Publish(t.Context(), request(t, globex, "", "hello"))
	require.ErrorIs(t, err, bus.ErrForbidden)
	require.ErrorContains(t, err, events.RequestsSubject(globex))
	require.NotErrorIs(t, err, bus.ErrUncertain, "what is forbidden is not stored")

	require.NoError(t, producer.Feed().Subscribe(t.Context(), acme, "", func(events.Record) {}))
	err = producer.Feed().Subscribe(t.Context(), globex, "", func(events.Record) {})
	require.ErrorIs(t, err, bus.ErrForbidden)
	require.ErrorContains(t, err, events.FeedSubject(globex, ""))

	_, err = producer.Asks().Queue(t.Context(), events.QueueAsked{})
	require.ErrorIs(t, err, bus.ErrForbidden, "the queue is not a tenant's to see")
	require.ErrorContains(t, err, events.SubjectAskQueue)

	_, err = open("").Requests().Publish(t.Context(), request(t, acme, "", "hello"))
	require.ErrorIs(t, err, bus.ErrForbidden, "answers cannot come")
	require.ErrorContains(t, err, "_INBOX.")
}

package testenv_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

func TestProxyFreezesAndCuts(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	proxy := testenv.NewProxy(t, server.URL)
	behind := &testenv.Server{URL: proxy.URL, User: server.User, Password: server.Password}
	found := make(chan struct{}, 1)
	conn := behind.Connect(t, nats.ReconnectWait(testPoll), nats.ReconnectHandler(func(*nats.Conn) { found <- struct{}{} }))
	require.NoError(t, conn.FlushTimeout(testPatience), "bytes pass")

	proxy.Freeze()
	require.ErrorIs(t, conn.FlushTimeout(5*testPoll), nats.ErrTimeout)
	require.True(t, conn.IsConnected(), "a frozen wire looks sound")
	proxy.Thaw()
	require.NoError(t, conn.FlushTimeout(testPatience), "what was held back passes")

	proxy.Cut()
	select {
	case <-found:
	case <-time.After(testPatience):
		require.Fail(t, "the client was not let in again")
	}
	require.NoError(t, conn.FlushTimeout(testPatience))
}

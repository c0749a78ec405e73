//go:build unix

package natsd_test

import (
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/testenv"
)

var listening = regexp.MustCompile(`listening on (\S+)\n`)

func startProcess(t *testing.T, dir string) *testenv.Child {
	t.Helper()
	return testenv.Start(t, testenv.ChildParams{Path: testenv.Build(t, "./internal/natsd/testdata/server"), Args: []string{dir}})
}

// A process that was killed leaves its data and no lock.
func TestKilledServerLosesNothingAndBlocksNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := startProcess(t, dir)
	conn, err := nats.Connect(child.WaitForOutput(t, listening)[1])
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js := streams(t, conn)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	require.NoError(t, err)
	for range 20 {
		_, err = js.Publish(t.Context(), "s", []byte("kept"))
		require.NoError(t, err)
	}

	rival := startProcess(t, dir)
	require.Equal(t, 1, rival.Wait(t))
	require.Equal(t, "data directory "+dir+" is in use by another feira\n", rival.Stderr())
	child.Kill(t)

	stream, err := streams(t, connect(t, serve(t, natsd.Config{Dir: dir}))).Stream(t.Context(), "S")
	require.NoError(t, err)
	require.Equal(t, uint64(20), stream.CachedInfo().State.Msgs)
}

// An interrupt is the process's: it must not end the server behind its back.
func TestServerLeavesSignalsAlone(t *testing.T) {
	t.Parallel()
	server := serve(t, natsd.Config{})
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	t.Cleanup(func() { signal.Stop(interrupted) })
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
	<-interrupted
	require.NoError(t, connect(t, server).Flush())
}

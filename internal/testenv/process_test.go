//go:build unix

package testenv_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

const child = "./internal/testenv/testdata/child"

var readyLine = regexp.MustCompile(`ready with \[(.*)\] (.*)\n`)

func start(t *testing.T) *testenv.Child {
	t.Helper()
	return testenv.Start(t, testenv.ChildParams{
		Path: testenv.Build(t, child), Args: []string{"a", "b"}, Env: []string{"CHILD_VARIABLE=set"},
	})
}

func TestChildSpeaksAndIsInterrupted(t *testing.T) {
	t.Parallel()
	c := start(t)
	require.Equal(t, []string{"ready with [a b] set\n", "a b", "set"}, c.WaitForOutput(t, readyLine))
	c.Interrupt(t)
	require.Equal(t, 3, c.Wait(t))
	require.Equal(t, "ready with [a b] set\n", c.Stdout())
	require.Equal(t, "got interrupt\n", c.Stderr())
	c.Kill(t) // a process that has ended is no error
}

func TestChildIsTerminated(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.WaitForOutput(t, readyLine)
	c.Terminate(t)
	require.Equal(t, 0, c.Wait(t))
}

func TestChildIsKilledWhileFrozen(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.WaitForOutput(t, readyLine)
	c.Stop(t)
	c.Interrupt(t) // waits in the frozen process
	select {
	case <-c.Done():
		t.Fatal("a frozen process has ended")
	default:
	}
	c.Kill(t)
	require.Equal(t, -1, c.Wait(t))
	require.Empty(t, c.Stderr(), "it did nothing while it was frozen")
}

func TestChildGoesOnAfterItWasFrozen(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.WaitForOutput(t, readyLine)
	c.Stop(t)
	c.Interrupt(t)
	c.Cont(t)
	c.WaitForOutput(t, regexp.MustCompile(`got interrupt`))
	require.Equal(t, 3, c.Wait(t))
}

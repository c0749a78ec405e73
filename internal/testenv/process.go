//go:build unix

package testenv

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

const (
	stdout = "stdout"
	stderr = "stderr"
	// outputPatience is how long a child may take to say what a test waits for.
	outputPatience = time.Minute
)

// Child is a real process. Its methods are safe for concurrent use; those that
// wait end the test when they wait in vain. What it has said is in the test's
// log when the test fails. It is killed when the test ends.
type Child struct {
	command *exec.Cmd
	said    *transcript
	done    chan struct{} // closed when the process has ended and all it said is kept
	err     error         // of Wait; written before done closes
}

// ChildParams describe a child process.
type ChildParams struct {
	// Path is the program.
	Path string
	Args []string
	// Env is added to the test's own environment, "NAME=value" each.
	Env []string
	// Dir is the working folder. Defaults to a temporary one.
	Dir string
}

// Process builds feira, once for each test binary, and starts it.
func Process(t testing.TB, args ...string) *Child {
	t.Helper()
	return Start(t, ChildParams{Path: Binary(t), Args: args})
}

// Start starts a program.
func Start(t testing.TB, params ChildParams) *Child {
	t.Helper()
	if params.Dir == "" {
		params.Dir = t.TempDir()
	}
	c := &Child{said: newTranscript(), done: make(chan struct{})}
	// The child outlives the test's context, so that a cleanup of the test may
	// still talk to it; its own cleanup kills it.
	c.command = exec.Command(params.Path, params.Args...) //nolint:gosec,noctx // The test names the program and ends it.
	c.command.Env = append(os.Environ(), params.Env...)
	c.command.Dir = params.Dir
	c.command.Stdout, c.command.Stderr = c.said.stream(stdout), c.said.stream(stderr)
	// A grandchild that keeps the pipes open must not keep the test.
	c.command.WaitDelay = outputPatience
	if err := c.command.Start(); err != nil {
		t.Fatalf("starting %s: %v", params.Path, err)
	}
	go func() {
		defer close(c.done)
		c.err = c.command.Wait()
	}()
	t.Cleanup(func() {
		c.Kill(t)
		keepOutput(t, c)
		if t.Failed() {
			t.Logf("%s %q said:\n%s", params.Path, params.Args, c.Output())
		}
	})
	return c
}

// Kill ends the process at once (SIGKILL), frozen or not, and returns when it is gone.
func (c *Child) Kill(t testing.TB) {
	t.Helper()
	c.signal(t, syscall.SIGKILL)
	<-c.done
}

// Stop freezes the process (SIGSTOP): it lives, and does nothing.
func (c *Child) Stop(t testing.TB) { t.Helper(); c.signal(t, syscall.SIGSTOP) }

// Cont lets a frozen process go on (SIGCONT).
func (c *Child) Cont(t testing.TB) { t.Helper(); c.signal(t, syscall.SIGCONT) }

// Interrupt asks the process to end, as Ctrl-C does (SIGINT).
func (c *Child) Interrupt(t testing.TB) { t.Helper(); c.signal(t, syscall.SIGINT) }

// Terminate asks the process to end, as a supervisor does (SIGTERM).
func (c *Child) Terminate(t testing.TB) { t.Helper(); c.signal(t, syscall.SIGTERM) }

func (c *Child) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := c.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("sending %s: %v", signal, err)
	}
}

// Wait returns the exit code when the process has ended; -1 when a signal ended it.
func (c *Child) Wait(t testing.TB) int {
	t.Helper()
	late := time.NewTimer(outputPatience)
	defer late.Stop()
	select {
	case <-c.done:
	case <-late.C:
		t.Fatalf("the process goes on after %s", outputPatience)
	}
	var exit *exec.ExitError
	if c.err != nil && !errors.As(c.err, &exit) {
		t.Fatalf("waiting for the process: %v", c.err)
	}
	return c.command.ProcessState.ExitCode()
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// WaitForOutput returns the match and its groups as soon as the pattern matches
// what the process has said since its start, on both streams together. It fails
// the test when the process ends, or a minute passes, without a match.
func (c *Child) WaitForOutput(t testing.TB, pattern *regexp.Regexp) []string {
	t.Helper()
	late := time.NewTimer(outputPatience)
	defer late.Stop()
	for {
		text, more := c.said.read()
		if match := pattern.FindStringSubmatch(text); match != nil {
			return match
		}
		select {
		case <-more:
		case <-c.done:
			// What was said last came before done closed.
			if match := pattern.FindStringSubmatch(c.Output()); match != nil {
				return match
			}
			t.Fatalf("the process ended without saying %s", pattern)
		case <-late.C:
			t.Fatalf("the process has not said %s after %s", pattern, outputPatience)
		}
	}
}

// Output is what the process has said so far, both streams as they came.
func (c *Child) Output() string { text, _ := c.said.read(); return text }

// Stdout is what the process has said so far on its standard output.
func (c *Child) Stdout() string { return c.said.text(stdout) }

// Stderr is what the process has said so far on its standard error.
func (c *Child) Stderr() string { return c.said.text(stderr) }

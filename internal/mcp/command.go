package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	defaultVariable = "MCP_TOKEN"
	// commandGrace is how long a command has to end after each of: its input
	// ended, it was asked to, it was killed.
	commandGrace = 2 * time.Second
)

// allowed reports whether the operator lets a command run: whether it begins
// with the words of one of his.
func (c *Client) allowed(command []string) bool {
	return slices.ContainsFunc(c.config.Commands, func(text string) bool {
		words := strings.Fields(text)
		return len(command) >= len(words) && slices.Equal(words, command[:len(words)])
	})
}

// command is a server that runs as a child, in a process group and a home of
// its own. Closing it ends the group.
type command struct {
	child *exec.Cmd
	input io.WriteCloser
	// output ends with the child.
	output *io.PipeReader
	home   string
	ended  chan struct{}
}

// start runs a target's command until life ends. Of Feira's environment it gets
// nothing: that holds the keys of all tenants.
func (c *Client) start(life context.Context, to target) (*command, error) {
	words := to.endpoint.Command
	if !c.allowed(words) {
		return nil, errCommand
	}
	home, err := os.MkdirTemp("", "feira-mcp-")
	if err != nil {
		return nil, fmt.Errorf("making a home for the command: %w", err)
	}
	child := exec.CommandContext(life, words[0], words[1:]...) //nolint:gosec // it is one that the operator allows
	child.Dir = home
	child.Env = []string{"PATH=" + c.config.Path, "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8"}
	if to.token != "" {
		name := to.attached.Variable
		orDefault(&name, defaultVariable)
		child.Env = append(child.Env, name+"="+to.token)
	}
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Cancel = func() error { return syscall.Kill(-child.Process.Pid, syscall.SIGKILL) }
	child.WaitDelay = commandGrace
	output, sink := io.Pipe()
	child.Stdout = sink
	input, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the command: %w", err), os.RemoveAll(home))
	}
	made := &command{child: child, input: input, output: output, home: home, ended: make(chan struct{})}
	go func() {
		defer close(made.ended)
		_ = child.Wait()
		// What it left behind goes with it.
		_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL)
		_ = sink.Close()
		_ = os.RemoveAll(home)
	}()
	return made, nil
}

// Write implements [io.Writer].
func (c *command) Write(line []byte) (int, error) { return c.input.Write(line) }

// Close ends the command as the protocol asks: by the end of its input, and
// where that is not heard, by signals.
func (c *command) Close() error {
	_ = c.input.Close()
	defer func() { _ = c.output.Close() }()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if c.waited() {
			return nil
		}
		_ = syscall.Kill(-c.child.Process.Pid, signal)
	}
	if !c.waited() {
		return errors.New("the command does not end")
	}
	return nil
}

func (c *command) waited() bool {
	timer := time.NewTimer(commandGrace)
	defer timer.Stop()
	select {
	case <-c.ended:
		return true
	case <-timer.C:
		return false
	}
}

// kept is the child's output, which its Close leaves to [command.Close].
type kept struct{ io.Reader }

// Close implements [io.Closer].
func (kept) Close() error { return nil }

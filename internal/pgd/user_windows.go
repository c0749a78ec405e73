package pgd

import (
	"os"
	"syscall"
)

// account is whom the server runs as; on Windows always the caller.
type account struct{}

func unprivileged() (*account, error) { return nil, nil } //nolint:nilnil // no account means the caller's own

func (a *account) own(string) error { return nil }

func (a *account) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

func interrupt(process *os.Process) error { return process.Kill() }

//go:build unix && !linux

package pgd

import "syscall"

// endWithCaller does nothing here: a server whose caller was killed ends when
// its folder is removed.
func endWithCaller(*syscall.SysProcAttr) {}

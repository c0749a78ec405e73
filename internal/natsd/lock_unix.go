//go:build unix

package natsd

import (
	"errors"
	"os"
	"syscall"
)

// errLocked occurs when the file is locked by somebody else.
var errLocked = errors.New("locked")

// tryLock locks a file until it is closed, or returns errLocked at once.
func tryLock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

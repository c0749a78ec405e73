package natsd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const lockName = "feira.lock"

// store is a data directory that is ours alone until closed.
type store struct {
	dir       string
	temporary bool
	lock      *os.File
}

// openStore takes a directory, making it if need be; an empty name makes a
// temporary one. The lock is the kernel's, so a process that is killed leaves
// none behind.
func openStore(dir string) (*store, error) {
	temporary := dir == ""
	if temporary {
		made, err := os.MkdirTemp("", "feira-nats-")
		if err != nil {
			return nil, fmt.Errorf("making a data directory: %w", err)
		}
		dir = made
	} else if err := makePrivate(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // The operator names the directory.
	if err != nil {
		return nil, fmt.Errorf("opening the lock of data directory %s: %w", dir, err)
	}
	if err := tryLock(lock); err != nil {
		_ = lock.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("data directory %s %w", dir, ErrInUse)
		}
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	return &store{dir: dir, temporary: temporary, lock: lock}, nil
}

func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making data directory %s: %w", dir, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // A directory without x cannot be entered.
		return fmt.Errorf("closing data directory %s to others: %w", dir, err)
	}
	return nil
}

// close gives the directory back. The lock file stays: removing it would let
// two processes lock two files of one name.
func (s *store) close() error {
	err := s.lock.Close()
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if err != nil {
		return fmt.Errorf("closing data directory %s: %w", s.dir, err)
	}
	return nil
}

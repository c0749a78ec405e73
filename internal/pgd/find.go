package pgd

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrAbsent occurs when the machine has no Postgres server.
var ErrAbsent = errors.New("no Postgres server is installed: initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin")

// debianBinaries is where Debian and Ubuntu keep the binaries of each version,
// out of PATH.
const debianBinaries = "/usr/lib/postgresql/*/bin"

// binaries are the programs of one installation.
type binaries struct{ initdb, postgres string }

// Available says why no server can be started on this machine; nil when one can.
func Available() error {
	_, err := find()
	return err
}

func find() (binaries, error) {
	initdb, initdbErr := exec.LookPath("initdb")
	postgres, postgresErr := exec.LookPath("postgres")
	if initdbErr == nil && postgresErr == nil {
		return binaries{initdb: initdb, postgres: postgres}, nil
	}
	folders, err := filepath.Glob(debianBinaries)
	if err != nil {
		return binaries{}, fmt.Errorf("looking for Postgres: %w", err)
	}
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range folders {
		found := binaries{initdb: filepath.Join(folder, "initdb"), postgres: filepath.Join(folder, "postgres")}
		if executable(found.initdb) && executable(found.postgres) {
			return found, nil
		}
	}
	return binaries{}, ErrAbsent
}

func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

// version is the number in a path such as /usr/lib/postgresql/15/bin.
func version(folder string) int {
	number, err := strconv.Atoi(strings.TrimSpace(filepath.Base(filepath.Dir(folder))))
	if err != nil {
		return 0
	}
	return number
}

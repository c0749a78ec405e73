package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// RaceVariable is the environment variable that makes [Build] use the race
// detector, whatever its value. It doubles the time of the build.
const RaceVariable = "FEIRA_TEST_RACE"

// builds are the programs that tests have asked for.
type builds struct {
	mu    sync.Mutex
	dir   string // holds all of them
	paths map[string]string
}

// built outlives a test, like shared, so that a program is built once.
var built = builds{paths: map[string]string{}}

// Binary is the path of the feira binary, see [Build].
func Binary(t testing.TB) string { t.Helper(); return Build(t, "./cmd/feira") }

// Build is the path of a program, built from the tree at hand once for each
// test binary. The package is a path from the module's root, as in "./cmd/feira".
func Build(t testing.TB, pkg string) string {
	t.Helper()
	path, err := built.get(context.WithoutCancel(t.Context()), pkg)
	if err != nil {
		t.Fatalf("building %s: %v", pkg, err)
	}
	return path
}

func (b *builds) get(ctx context.Context, pkg string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if path, done := b.paths[pkg]; done {
		return path, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "feira-built-"); err != nil {
			return "", err
		}
	}
	path := filepath.Join(b.dir, strconv.Itoa(len(b.paths))+"-"+filepath.Base(pkg))
	args := []string{"build", "-o", path}
	if os.Getenv(RaceVariable) != "" {
		args = append(args, "-race")
	}
	command := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // The arguments are the test's.
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	b.paths[pkg] = path
	return path, nil
}

// moduleRoot is the nearest folder upwards that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in this folder or above it")
		}
		dir = parent
	}
}

func (b *builds) remove() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

package testenv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ArtifactsVariable is the environment variable that names a folder in which
// everything that tests write stays: brokers' stores, ledgers, logs and what
// children say. Without it, all of it is gone when its test is.
const ArtifactsVariable = "FEIRA_TEST_ARTIFACTS"

// Mark stands in every password that testenv makes, so that a scan of what
// tests leave can tell where one was written down.
const Mark = "FE1AF1A57E57D00A"

var unnamed = regexp.MustCompile(`[^A-Za-z0-9]+`)

// artifacts is the folder of what is kept; empty when nothing is.
func artifacts() string { return os.Getenv(ArtifactsVariable) }

// Dir is a folder for what a test has its parts and processes write. It is gone
// when the test is, unless artifacts are kept.
func Dir(t testing.TB) string {
	t.Helper()
	if artifacts() == "" {
		return t.TempDir()
	}
	dir, err := keep(t.Name())
	if err != nil {
		t.Fatalf("making a folder for artifacts: %v", err)
	}
	return dir
}

// keep makes a folder that stays.
func keep(name string) (string, error) {
	const longest = 60
	name = unnamed.ReplaceAllString(name, "_")
	return os.MkdirTemp(artifacts(), name[:min(len(name), longest)]+"-")
}

// Log takes what a test's own process logs or prints. It goes nowhere, unless
// artifacts are kept. It is safe for concurrent use.
func Log(t testing.TB) io.Writer {
	t.Helper()
	if artifacts() == "" {
		return io.Discard
	}
	file, err := os.Create(filepath.Join(Dir(t), "test.log"))
	if err != nil {
		t.Fatalf("keeping a log: %v", err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// keepOutput writes down what a child has said.
func keepOutput(t testing.TB, c *Child) {
	t.Helper()
	if artifacts() == "" {
		return
	}
	said := fmt.Sprintf("%q\n%s", c.command.Args, c.Output())
	if err := os.WriteFile(filepath.Join(Dir(t), "child.log"), []byte(said), 0o600); err != nil {
		t.Errorf("keeping what a child said: %v", err)
	}
}

// keepStore links the files of an account's streams, which are about to be
// deleted, into a folder that stays. It costs no disk that they did not cost.
func keepStore(dir, account string) error {
	if dir == "" {
		return nil
	}
	to, err := keep(account)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(artifacts())
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	from := path.Join(filepath.Base(dir), "jetstream", account)
	return fs.WalkDir(root.FS(), from, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the broker tidies up meanwhile, or there was nothing
		}
		if err != nil {
			return err
		}
		target := path.Join(filepath.Base(to), strings.TrimPrefix(name, from))
		if entry.IsDir() {
			return root.MkdirAll(target, 0o700)
		}
		if err := root.Link(name, target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keeping %s: %w", name, err)
		}
		return nil
	})
}

package testenv

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is the body of a TestMain: it runs the tests, ends what testenv holds
// for the whole test binary, and then looks for goroutines left behind.
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	if err := release(); err != nil {
		fmt.Fprintf(os.Stderr, "testenv: %v\n", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintf(os.Stderr, "testenv: goroutines are left behind: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// release ends the shared servers and removes the built binary.
func release() error {
	return errors.Join(endShared(), database.stop(), built.remove())
}

// Require is for what a test needs of its machine: a database, a program. When
// check fails, the test fails if CI is set, and is skipped with the reason
// elsewhere.
func Require(t testing.TB, name string, check func() error) {
	t.Helper()
	err := check()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is required in CI: %v", name, err)
	default:
		t.Skipf("%s is not to be had here: %v", name, err)
	}
}

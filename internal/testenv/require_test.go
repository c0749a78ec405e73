package testenv_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

// judged is a test that keeps how it ended.
type judged struct {
	testing.TB

	verdict string
}

func (*judged) Helper() {}

func (j *judged) Skipf(format string, args ...any) {
	j.verdict = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (j *judged) Fatalf(format string, args ...any) {
	j.verdict = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func verdict(t *testing.T, err error) string {
	t.Helper()
	j := &judged{TB: t, verdict: "went on"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		testenv.Require(j, "the moon", func() error { return err })
	}()
	<-done
	return j.verdict
}

func TestRequire(t *testing.T) {
	absent := errors.New("it is day")
	t.Setenv("CI", "")
	require.Equal(t, "went on", verdict(t, nil))
	require.Equal(t, "skipped: the moon is not to be had here: it is day", verdict(t, absent))
	t.Setenv("CI", "true")
	require.Equal(t, "went on", verdict(t, nil))
	require.Equal(t, "failed: the moon is required in CI: it is day", verdict(t, absent))
}

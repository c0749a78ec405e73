package export_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/export"
)

// An exporter is killed with SIGKILL when the other side has taken a request
// and has not answered it, at every request in turn. At last nothing is missing
// and nothing is there twice.
func TestKilledExporterLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []export.Kind{export.KindOpenMeter, export.KindLago, export.KindStripe, export.KindWebhook} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			far := newOther(t, kind)
			deaths := 0
			for !live(t, far, path) {
				deaths++
				require.Less(t, deaths, 100, "it comes to no end")
			}
			require.GreaterOrEqual(t, deaths, 5)
			require.Equal(t, truth(t, path, settings(kind, far.url)), far.sum(t))
			found, err := newExporter(t, open(t, path), settings(kind, far.url)).Reconcile(t.Context())
			require.NoError(t, err)
			require.True(t, found.OK(), "%+v", found)
		})
	}
}

// live runs an exporter that dies with the second request that it makes: the
// first is the one before which the last died. It says whether it ended well.
func live(t *testing.T, far *other, path string) bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), doomedLedger+"="+path, doomedKind+"="+string(far.kind), doomedURL+"="+far.url)
	child.Stderr = os.Stderr
	started := make(chan struct{})
	killed := false
	far.mu.Lock()
	far.n = 0
	far.hook = func(n int) {
		if n == 2 {
			<-started
			killed = child.Process.Kill() == nil
		}
	}
	far.mu.Unlock()
	require.NoError(t, child.Start())
	close(started)
	err := child.Wait()
	far.mu.Lock()
	defer far.mu.Unlock()
	far.hook = nil
	if killed {
		require.Error(t, err, "it was killed")
	} else {
		require.NoError(t, err)
	}
	return !killed
}

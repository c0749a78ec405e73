package events_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write generated documents instead of comparing them")

// documents is where schemas, examples and AsyncAPI stand, from this package.
const documents = "../schemas"

// requireFresh compares a document with what has just been generated, or
// writes it when asked to.
func requireFresh(t *testing.T, name string, generated []byte) {
	t.Helper()
	path := filepath.Join(documents, name)
	stored, err := os.ReadFile(path)
	if *update {
		if !bytes.Equal(stored, generated) {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, generated, 0o644))
		}
		return
	}
	require.NoError(t, err, "run `task gen`")
	require.Empty(t, cmp.Diff(string(stored), string(generated)), "%s is stale, run `task gen`", name)
}

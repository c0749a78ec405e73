//go:build canary

package canary

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/testenv"
)

// TestTheSuiteLeavesNoSecret scans what the whole test suite has left in the
// folder of artifacts: stores, ledgers, logs, and what it said itself. Every
// credential of the sandbox and every password of testenv has a mark.
func TestTheSuiteLeavesNoSecret(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(testenv.ArtifactsVariable)
	require.NotEmpty(t, dir, "%s names no folder", testenv.ArtifactsVariable)
	scanner, err := New([]Secret{
		{Name: "a credential of the sandbox", Value: sandbox.Mark},
		{Name: "a token of the sandbox", Value: strings.ToLower(sandbox.Mark)},
		{Name: "a password of testenv", Value: testenv.Mark},
		{Name: "the model's key", Value: "test-key-of-the-sandbox"},
		{Name: "the offline model's key", Value: "feira-offline-key"},
	})
	require.NoError(t, err)
	finds, coverage, err := scanner.Folder(dir)
	require.NoError(t, err)
	for _, find := range finds {
		t.Error(find)
	}
	t.Logf("scanned %d files, %d MiB", coverage.Files, coverage.Bytes>>20)
	requireLeft(t, dir)
}

// requireLeft: the suite has left what there is to scan, the vault's
// ciphertext among it.
func requireLeft(t *testing.T, dir string) {
	t.Helper()
	left := map[string]int{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		for _, kind := range []string{".blk", "ledger.db", "child.log", "test.log", "suite.log"} {
			if strings.HasSuffix(path, kind) {
				left[kind]++
			}
		}
		if strings.Contains(filepath.ToSlash(path), "/KV_feira_vault/msgs/") && strings.HasSuffix(path, ".blk") {
			left["vault"]++
		}
		return err
	}))
	for kind, least := range map[string]int{".blk": 100, "ledger.db": 3, "child.log": 20, "test.log": 5, "suite.log": 1, "vault": 5} {
		require.GreaterOrEqual(t, left[kind], least, "%s: %v", kind, left)
	}
}

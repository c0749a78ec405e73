package testenv

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a test leaves stays where artifacts are kept, and is gone elsewhere.
func TestArtifactsStay(t *testing.T) {
	for name, folder := range map[string]string{"kept": t.TempDir(), "not kept": ""} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(ArtifactsVariable, folder)
			var left string
			t.Run("a test / with a name", func(t *testing.T) {
				left = filepath.Join(Dir(t), "ledger.db")
				require.NoError(t, os.WriteFile(left, []byte("rows"), 0o600))
				_, err := io.WriteString(Log(t), "a line")
				require.NoError(t, err)
			})
			if folder == "" {
				require.NoFileExists(t, left)
				return
			}
			require.FileExists(t, left)
			logs, err := filepath.Glob(filepath.Join(folder, "*", "test.log"))
			require.NoError(t, err)
			require.Len(t, logs, 1)
		})
	}
}

// The streams of a lent account outlive their deletion.
func TestStoresStay(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(ArtifactsVariable, dir)
	store := filepath.Join(dir, "shared-1")
	messages := filepath.Join(store, "jetstream", "test0", "streams", "S", "msgs")
	require.NoError(t, os.MkdirAll(messages, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(messages, "1.blk"), []byte("a message"), 0o600))
	require.NoError(t, keepStore(store, "test0"))
	require.NoError(t, keepStore(store, "test1"), "an account without streams")
	require.NoError(t, os.RemoveAll(store))
	kept, err := filepath.Glob(filepath.Join(dir, "test0-*", "streams", "S", "msgs", "1.blk"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	text, err := os.ReadFile(kept[0])
	require.NoError(t, err)
	require.Equal(t, "a message", string(text))
	require.NoError(t, keepStore("", "test0"), "where nothing is kept")
}

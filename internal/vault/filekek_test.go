package vault

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"
)

func TestFileKEKIsMadeOnceAndReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek.json")
	first, err := FileKEK(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := FileKEK(path)
	require.NoError(t, err)
	requireSameKEK(t, first, again)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestFileKEKIsOneForAllWhoMakeIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek.json")
	const makers = 8
	keks, faults := make([]tink.AEAD, makers), make([]error, makers)
	var group sync.WaitGroup
	for i := range makers {
		group.Go(func() { keks[i], faults[i] = FileKEK(path) })
	}
	group.Wait()
	for i := range makers {
		require.NoError(t, faults[i])
		requireSameKEK(t, keks[0], keks[i])
	}
}

func TestFileKEKRefusesWhatOthersMayRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek.json")
	_, err := FileKEK(path)
	require.NoError(t, err)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o660, 0o666} {
		require.NoError(t, os.Chmod(path, mode))
		_, err = FileKEK(path)
		require.ErrorIs(t, err, ErrExposedKEK, mode)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	_, err = FileKEK(path)
	require.NoError(t, err)
	link := filepath.Join(filepath.Dir(path), "link")
	require.NoError(t, os.Symlink(path, link))
	_, err = FileKEK(link)
	require.ErrorIs(t, err, ErrExposedKEK)
}

func TestFileKEKDoesNotReplaceWhatItCannotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek.json")
	require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
	_, err := FileKEK(path)
	require.Error(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "garbage", string(content))
	_, err = FileKEK(filepath.Join(t.TempDir(), "missing", "kek.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func requireSameKEK(t *testing.T, a, b tink.AEAD) {
	t.Helper()
	sealed, err := a.Encrypt([]byte("x"), []byte("ad"))
	require.NoError(t, err)
	opened, err := b.Decrypt(sealed, []byte("ad"))
	require.NoError(t, err)
	require.Equal(t, "x", string(opened))
}

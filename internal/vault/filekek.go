package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const kekMode fs.FileMode = 0o600

// FileKEK is a KEK in a file, a Tink keyset in clear, for development and
// single machines. It is made on first use, readable by its owner alone; when
// two processes meet there, both take the one that was there first. A file that
// others may read is refused with [ErrExposedKEK]. Losing the file loses every
// credential; whoever copies it together with the store has them all.
func FileKEK(path string) (tink.AEAD, error) {
	key, err := readKEK(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKEK(path); err == nil {
			key, err = readKEK(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the KEK's file: %w", err)
	}
	return key, nil
}

func readKEK(path string) (tink.AEAD, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: mode is %s, want %s", ErrExposedKEK, info.Mode(), kekMode)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, err
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil {
		return nil, errors.New("it holds no keyset")
	}
	return aead.New(handle)
}

// makeKEK writes a new KEK beside path and links it there, which succeeds for
// one of any number of makers and never shows half a file.
func makeKEK(path string) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".kek-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := errors.Join(
		insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(draft)), draft.Sync(), draft.Close(),
	); err != nil {
		return fmt.Errorf("writing key: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

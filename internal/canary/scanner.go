package canary

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	// shortest is the shortest secret that is looked for: a shorter one would be
	// found by chance in base64 of a gigabyte.
	shortest = 10
	// prefix is how much of a text is looked up at once.
	prefix = 4
	chunk  = 1 << 20
)

// Secret is a value that may be nowhere, and the name by which a find tells of it.
type Secret struct{ Name, Value string }

// Find is a secret where none may be.
type Find struct {
	Secret, Form, Where string
	Offset              int64
}

// String implements [fmt.Stringer]. It does not hold the value.
func (f Find) String() string {
	return fmt.Sprintf("%s (%s) in %s at %d", f.Secret, f.Form, f.Where, f.Offset)
}

// Coverage is what was scanned.
type Coverage struct {
	Files int
	Bytes int64
}

// pattern is a text to look for.
type pattern struct {
	shape

	secret string
}

// Scanner looks for secrets in all their forms. It is safe for concurrent use.
type Scanner struct {
	// starts holds the first two bytes of every text, for a quick no.
	starts  [1 << 16]bool
	byStart map[[prefix]byte][]pattern
	longest int
}

// ErrTooShort occurs when a secret is so short that it would be found by chance.
var ErrTooShort = errors.New("the secret is too short to be looked for")

// New makes a scanner for secrets. It returns [ErrTooShort] for one that is.
func New(secrets []Secret) (*Scanner, error) {
	s := &Scanner{byStart: map[[prefix]byte][]pattern{}}
	seen := map[string]bool{}
	for _, secret := range secrets {
		if len(secret.Value) < shortest {
			return nil, fmt.Errorf("%w: %s has %d bytes, want %d", ErrTooShort, secret.Name, len(secret.Value), shortest)
		}
		for _, form := range shapes(secret.Value) {
			if seen[form.text] {
				continue
			}
			seen[form.text] = true
			start := [prefix]byte([]byte(form.text[:prefix]))
			s.starts[int(start[0])<<8|int(start[1])] = true
			s.byStart[start] = append(s.byStart[start], pattern{shape: form, secret: secret.Name})
			s.longest = max(s.longest, len(form.text))
		}
	}
	return s, nil
}

// Text scans a text, and names the first place of each secret in each form.
func (s *Scanner) Text(where, text string) []Find {
	found := map[string]Find{}
	s.scan([]byte(text), 0, where, found)
	return sorted(found)
}

// Read scans all that a reader has.
func (s *Scanner) Read(where string, from io.Reader) ([]Find, int64, error) {
	found := map[string]Find{}
	buffer := make([]byte, chunk+s.longest)
	kept, total := 0, int64(0)
	for {
		n, err := io.ReadFull(from, buffer[kept:])
		have := buffer[:kept+n]
		s.scan(have, total-int64(kept), where, found)
		total += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return sorted(found), total, nil
		}
		if err != nil {
			return sorted(found), total, fmt.Errorf("reading %s: %w", where, err)
		}
		// The end may be the beginning of a secret.
		kept = copy(buffer, have[len(have)-min(s.longest, len(have)):])
	}
}

func (s *Scanner) scan(data []byte, from int64, where string, found map[string]Find) {
	for i := 0; i+prefix <= len(data); i++ {
		if !s.starts[int(data[i])<<8|int(data[i+1])] {
			continue
		}
		for _, one := range s.byStart[[prefix]byte(data[i:i+prefix])] {
			key := one.secret + "\x00" + one.form
			if _, known := found[key]; !known && bytes.HasPrefix(data[i:], []byte(one.text)) {
				found[key] = Find{Secret: one.secret, Form: one.form, Where: where, Offset: from + int64(i)}
			}
		}
	}
}

// Folder scans every file of a folder and below it.
func (s *Scanner) Folder(dir string) ([]Find, Coverage, error) {
	var (
		finds    []Find
		coverage Coverage
	)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, coverage, fmt.Errorf("scanning %s: %w", dir, err)
	}
	defer func() { _ = root.Close() }()
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		// A name can tell as much as what is in the file.
		finds = append(finds, s.Text("the name of "+name, name)...)
		found, size, err := s.Read(name, file)
		finds = append(finds, found...)
		coverage.Files++
		coverage.Bytes += size
		return err
	})
	if err != nil {
		return finds, coverage, fmt.Errorf("scanning %s: %w", dir, err)
	}
	return finds, coverage, nil
}

func sorted(found map[string]Find) []Find {
	finds := make([]Find, 0, len(found))
	for _, find := range found {
		finds = append(finds, find)
	}
	slices.SortFunc(finds, func(a, b Find) int { return strings.Compare(a.String(), b.String()) })
	return finds
}

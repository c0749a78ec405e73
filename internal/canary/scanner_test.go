package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const planted = `cAnArY/7f3a+"<é>&=~x`

// encoders make of a text, in the middle of others, what programs make of it.
func encoders() map[string]func(before, secret, after string) string {
	return map[string]func(before, secret, after string) string{
		"plain":       func(b, s, a string) string { return b + s + a },
		"query":       func(b, s, a string) string { return b + url.QueryEscape(s) + a },
		"path":        func(b, s, a string) string { return b + url.PathEscape(s) + a },
		"query twice": func(b, s, a string) string { return b + url.QueryEscape(url.QueryEscape(s)) + a },
		"lower percent": func(b, s, a string) string {
			return b + strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3C", "%3c", "%3E", "%3e", "%C3", "%c3", "%A9", "%a9", "%3D", "%3d").Replace(url.QueryEscape(s)) + a
		},
		"base64":         func(b, s, a string) string { return base64.StdEncoding.EncodeToString([]byte(b + s + a)) },
		"base64url":      func(b, s, a string) string { return base64.URLEncoding.EncodeToString([]byte(b + s + a)) },
		"raw base64":     func(b, s, a string) string { return base64.RawStdEncoding.EncodeToString([]byte(b + s + a)) },
		"raw base64url":  func(b, s, a string) string { return base64.RawURLEncoding.EncodeToString([]byte(b + s + a)) },
		"hex":            func(b, s, a string) string { return hex.EncodeToString([]byte(b + s + a)) },
		"upper hex":      func(b, s, a string) string { return strings.ToUpper(hex.EncodeToString([]byte(b + s + a))) },
		"JSON":           func(b, s, a string) string { return marshal(b + s + a) },
		"JSON in JSON":   func(b, s, a string) string { return marshal(marshal(b + s + a)) },
		"JSON as of PHP": func(b, s, a string) string { return strings.ReplaceAll(marshal(b+s+a), "/", `\/`) },
		"JSON as of JavaScript": func(b, s, a string) string {
			var out bytes.Buffer
			encoder := json.NewEncoder(&out)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(b + s + a)
			return out.String()
		},
		"quoted": func(b, s, a string) string { return strconv.Quote(b + s + a) },
		"HTML":   func(b, s, a string) string { return html.EscapeString(b + s + a) },
	}
}

func marshal(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

// Every form of a planted secret is found in a file, whatever stands around it
// and wherever the reader's pieces end.
func TestAPlantedSecretIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	scanner, err := New([]Secret{{Name: "the secret", Value: planted}, {Name: "another", Value: "never-written-down"}})
	require.NoError(t, err)
	for name, encode := range encoders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "log.txt")
			rapid.Check(t, func(t *rapid.T) {
				text := encode(rapid.StringN(0, 9, -1).Draw(t, "before"), planted, rapid.StringN(0, 9, -1).Draw(t, "after"))
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				finds, covered, err := scanner.Folder(dir)
				require.NoError(t, err)
				require.Equal(t, Coverage{Files: 1, Bytes: int64(len(text))}, covered)
				require.NotEmpty(t, finds, text)
				require.Equal(t, "the secret", finds[0].Secret)
				require.NotContains(t, finds[0].String(), planted)
				without := encode("before ", "cAnArY/7f3a+", " after")
				require.Empty(t, scanner.Text("x", without), "half of it is none")
			})
		})
	}
}

func TestASecretAcrossTwoPiecesIsFound(t *testing.T) {
	t.Parallel()
	scanner, err := New([]Secret{{Name: "s", Value: planted}})
	require.NoError(t, err)
	for _, at := range []int{0, chunk - 1, chunk + scanner.longest, chunk + scanner.longest - len(planted)/2, 2*chunk + 1} {
		text := strings.Repeat("x", at) + planted + strings.Repeat("y", 2*chunk)
		finds, size, err := scanner.Read("x", iotest.HalfReader(strings.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, int64(len(text)), size)
		require.Equal(t, []Find{{Secret: "s", Form: "plain", Where: "x", Offset: int64(at)}}, finds)
	}
}

func TestNamesOfFilesAreScanned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "never-written-down"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "never-written-down", "x"), nil, 0o600))
	scanner, err := New([]Secret{{Name: "s", Value: "never-written-down"}})
	require.NoError(t, err)
	finds, _, err := scanner.Folder(dir)
	require.NoError(t, err)
	require.Len(t, finds, 1)
	_, _, err = scanner.Folder(filepath.Join(dir, "missing"))
	require.Error(t, err)
}

func TestWhatIsFoundByChanceIsNotLookedFor(t *testing.T) {
	t.Parallel()
	_, err := New([]Secret{{Name: "s", Value: strings.Repeat("x", shortest-1)}})
	require.ErrorIs(t, err, ErrTooShort)
	_, err = New([]Secret{{Name: "s", Value: strings.Repeat("x", shortest)}})
	require.NoError(t, err)
}

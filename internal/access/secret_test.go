package access_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

func moment() time.Time { return time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC) }

// mint makes a key that differs from the usual by change.
func mint(t require.TestingT, change func(*access.MintParams)) (access.Key, access.Secret) {
	params := access.MintParams{Name: "shop", CreatedAt: moment()}
	if change != nil {
		change(&params)
	}
	key, secret, err := access.Mint(rand.Reader, params)
	require.NoError(t, err)
	return key, secret
}

func TestKeysAreReadBack(t *testing.T) {
	t.Parallel()
	for _, environment := range []events.Environment{events.EnvironmentLive, events.EnvironmentTest} {
		key, secret := mint(t, func(p *access.MintParams) { p.Environment = environment })
		text := secret.Reveal()
		require.Regexp(t, "^csk_"+string(environment)+"_[0-9A-Za-z]{38}$", text)
		read, err := access.Parse(text)
		require.NoError(t, err)
		require.Equal(t, environment, read.Environment())
		require.True(t, key.Hash.Equal(read.Hash()))
		require.Equal(t, text[:13], key.Prefix)
		hash, err := access.ParseHash(key.Hash.String())
		require.NoError(t, err)
		require.Equal(t, key.Hash, hash)
	}
}

// Any one character that is wrong, missing, doubled or swapped with its
// neighbour is found without a look-up.
func TestMistypedKeysAreRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		_, secret := mint(t, nil)
		text := secret.Reveal()
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		wrong := rapid.SampledFrom([]string{
			text[:at] + string(rapid.ByteRange('0', 'z').Draw(t, "character")) + text[at+1:],
			text[:at] + text[at+1:],
			text[:at] + text[at:at+1] + text[at:],
			text[:max(at-1, 0)] + text[at:at+1] + text[max(at-1, 0):at] + text[at+1:],
		}).Draw(t, "wrong")
		if wrong == text {
			return
		}
		_, err := access.Parse(wrong)
		require.ErrorIs(t, err, access.ErrMalformed)
		require.NotContains(t, err.Error(), text[13:], "the error repeats the key")
	})
}

func TestForeignTextsAreNoKeys(t *testing.T) {
	t.Parallel()
	_, secret := mint(t, nil)
	text := secret.Reveal()
	for _, wrong := range []string{
		"", "csk_", "csk_test_", "sk_test_4eC39Hq", "csk_prod_" + text[9:], "csk_live_" + text[9:], " " + text, text + "\n",
		"csk_test_" + strings.Repeat("é", 19), strings.ToUpper(text), "csk_" + text[9:], strings.Repeat("csk_test_", 1000),
	} {
		_, err := access.Parse(wrong)
		require.ErrorIs(t, err, access.ErrMalformed, "%.40q", wrong)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("csk_live_")
	f.Add("csk_test_00000000000000000000000000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := access.Parse(text)
		if err == nil {
			require.Equal(t, text, secret.Reveal())
		}
	})
}

// Each digit is as likely as any other, whatever the bytes are, and nothing is
// made of a source that fails.
func TestDigitsAreDrawnFairly(t *testing.T) {
	t.Parallel()
	every := make([]byte, 0, 256*64)
	for range 64 {
		for b := range 256 {
			every = append(every, byte(b))
		}
	}
	source := bytes.NewReader(every)
	counts := map[rune]int{}
	for range 100 {
		_, secret, err := access.Mint(source, access.MintParams{Name: "n", CreatedAt: moment()})
		require.NoError(t, err)
		for _, digit := range secret.Reveal()[9:41] {
			counts[digit]++
		}
	}
	require.Len(t, counts, 62)
	for digit, count := range counts {
		require.InDelta(t, 3200.0/62, count, 20, "%c", digit)
	}
	broken := errors.New("no entropy")
	_, _, err := access.Mint(iotest.ErrReader(broken), access.MintParams{Name: "n", CreatedAt: moment()})
	require.ErrorIs(t, err, broken)
	_, _, err = access.Mint(io.LimitReader(rand.Reader, 31), access.MintParams{Name: "n", CreatedAt: moment()})
	require.Error(t, err)
}

// The text of a key is in nothing that is printed, logged or encoded, however
// deep the secret lies in it.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	key, secret := mint(t, nil)
	caller, err := key.Admit(secret, moment())
	require.NoError(t, err)
	hidden := secret.Reveal()[13:]
	type holder struct {
		Exported access.Secret
		inner    access.Secret
		key      access.Key
		caller   access.Caller
		list     []*access.Secret
	}
	deep := holder{Exported: secret, inner: secret, key: key, caller: caller, list: []*access.Secret{&secret}}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(handler).Info("all", "secret", secret, "pointer", &secret, "deep", deep, "key", key, "caller", caller)
	}
	texts := []string{log.String()}
	for _, value := range []any{secret, &secret, deep, &deep, key, caller, []any{secret, key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t"} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		texts = append(texts, string(encoded))
	}
	encoded, err := json.Marshal(map[access.ID]any{key.ID: secret})
	require.NoError(t, err)
	require.Contains(t, string(encoded), `"[redacted]"`)
	for _, text := range append(texts, string(encoded)) {
		require.NotContains(t, text, hidden)
		require.NotContains(t, text, fmt.Sprintf("%x", hidden))
	}
	require.Empty(t, access.Secret{}.Reveal())
	require.Empty(t, access.Secret{}.Prefix())
}

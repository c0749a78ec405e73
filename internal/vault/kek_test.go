package vault

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/api/option"

	"github.com/feira-dev/feira/events"
)

// service plays a key service over HTTP: an AEAD behind a wire form.
type service struct {
	*httptest.Server

	key tink.AEAD

	mu    sync.Mutex
	down  bool
	paths []string
}

func newService(t *testing.T, answer func(s *service, w http.ResponseWriter, r *http.Request, body map[string]any)) *service {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	key, err := aead.New(handle)
	require.NoError(t, err)
	s := &service{key: key}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		down := s.down
		s.mu.Unlock()
		if down {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`))
			return
		}
		answer(s, w, r, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) refuse(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = yes
}

// bytesOf reads a field in base64.
func bytesOf(body map[string]any, field string) []byte {
	text, _ := body[field].(string)
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		value, _ = base64.URLEncoding.DecodeString(text)
	}
	return value
}

// transit answers as the transit engine does.
func transit(s *service, w http.ResponseWriter, r *http.Request, body map[string]any) {
	answer := map[string]any{}
	data := bytesOf(body, "associated_data")
	switch {
	case r.Header.Get("X-Vault-Token") != "hvs.CANARY-token":
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
		return
	case r.URL.Path == "/v1/transit/encrypt/feira":
		sealed, _ := s.key.Encrypt(bytesOf(body, "plaintext"), data)
		answer["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString(sealed)
	case r.URL.Path == "/v1/transit/decrypt/feira":
		text, _ := body["ciphertext"].(string)
		sealed, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "vault:v1:"))
		plain, err := s.key.Decrypt(sealed, data)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"errors":["cipher: message authentication failed"]}`))
			return
		}
		answer["plaintext"] = base64.StdEncoding.EncodeToString(plain)
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": answer})
}

func transitKEK(t *testing.T, s *service, token string) KEK {
	t.Helper()
	host := strings.TrimPrefix(s.URL, "http://")
	kek, err := TransitKEK(TransitConfig{URI: "hcvault://" + host + "/transit/keys/feira", Address: s.URL, Token: NewSecret(token)})
	require.NoError(t, err)
	return kek
}

func TestATransitKeySealsKeysets(t *testing.T) {
	t.Parallel()
	b, s := setup(t), newService(t, transit)
	b.kek = transitKEK(t, s, "hvs.CANARY-token")
	b.vault = b.another(t)
	b.put(t, "acme", "CANARY")
	requireOpens(t, b.another(t), "acme", "CANARY")
	requireBound(t, b.kek)

	asked := len(s.paths)
	for range 10 {
		requireOpens(t, b.vault, "acme", "CANARY")
	}
	require.LessOrEqual(t, len(s.paths)-asked, 1, "a keyset is opened once for many credentials")

	// Away or refused, it is neither a missing credential nor a sealed one.
	s.refuse(true)
	_, err := b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrKEK)
	require.NotErrorIs(t, err, ErrSealed)
	require.ErrorContains(t, err, "permission denied")
	require.NotContains(t, err.Error(), "CANARY")
	require.ErrorIs(t, b.another(t).Put(t.Context(), "new", "stripe", events.EnvironmentTest, one("x")), ErrKEK)
	s.refuse(false)

	b.kek = transitKEK(t, s, "hvs.wrong")
	_, err = b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrKEK)
	require.NotContains(t, err.Error(), "hvs.wrong")
	other := newService(t, transit)
	b.kek = transitKEK(t, other, "hvs.CANARY-token")
	_, err = b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed, "another key of another engine")
}

func TestKeysetsMoveFromAFileToTransit(t *testing.T) {
	t.Parallel()
	b, s := setup(t), newService(t, transit)
	file, err := OpenKEK(t.Context(), "file://"+filepath.Join(t.TempDir(), "kek.json"))
	require.NoError(t, err)
	b.kek = file
	b.vault = b.another(t)
	b.put(t, "acme", "secret-a")
	remote := transitKEK(t, s, "hvs.CANARY-token")
	b.others = []KEK{remote}
	_, err = b.another(t).Rekey(t.Context(), "acme", remote.Name)
	require.NoError(t, err)
	b.kek, b.others = remote, nil
	requireOpens(t, b.another(t), "acme", "secret-a")
}

// requireBound holds a KEK to what is asked of it.
func requireBound(t *testing.T, kek KEK) {
	t.Helper()
	sealed, err := kek.Key.EncryptWithContext(t.Context(), []byte("keyset"), []byte("acme"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "keyset")
	opened, err := kek.Key.DecryptWithContext(t.Context(), sealed, []byte("acme"))
	require.NoError(t, err)
	require.Equal(t, "keyset", string(opened))
	_, err = kek.Key.DecryptWithContext(t.Context(), sealed, []byte("loja"))
	require.Error(t, err)
}

func TestAGoogleKeySealsKeysets(t *testing.T) {
	t.Parallel()
	sum := func(value []byte) string {
		return strconv.FormatUint(uint64(crc32.Checksum(value, crc32.MakeTable(crc32.Castagnoli))), 10)
	}
	const name = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
	s := newService(t, func(s *service, w http.ResponseWriter, r *http.Request, body map[string]any) {
		data := bytesOf(body, "additionalAuthenticatedData")
		switch r.URL.Path {
		case "/v1/" + name + ":encrypt":
			sealed, _ := s.key.Encrypt(bytesOf(body, "plaintext"), data)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"ciphertext": base64.StdEncoding.EncodeToString(sealed), "ciphertextCrc32c": sum(sealed),
				"verifiedPlaintextCrc32c": true, "verifiedAdditionalAuthenticatedDataCrc32c": true,
			})
		case "/v1/" + name + ":decrypt":
			plain, err := s.key.Decrypt(bytesOf(body, "ciphertext"), data)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain), "plaintextCrc32c": sum(plain)})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	kek, err := gcpKEK(t.Context(), "gcp-kms://"+name, option.WithEndpoint(s.URL), option.WithoutAuthentication())
	require.NoError(t, err)
	requireBound(t, kek)
}

// It sets variables of the process, as AWS's own SDK reads them.
func TestAnAWSKeySealsKeysets(t *testing.T) {
	s := newService(t, func(s *service, w http.ResponseWriter, r *http.Request, body map[string]any) {
		context, _ := json.Marshal(body["EncryptionContext"])
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.Encrypt":
			sealed, _ := s.key.Encrypt(bytesOf(body, "Plaintext"), context)
			_ = json.NewEncoder(w).Encode(map[string]any{"CiphertextBlob": sealed})
		case "TrentService.Decrypt":
			plain, err := s.key.Decrypt(bytesOf(body, "CiphertextBlob"), context)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"__type":"InvalidCiphertextException"}`))
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Plaintext": plain})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	t.Setenv("AWS_ENDPOINT_URL_KMS", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA-test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", rand.Text())
	kek, err := OpenKEK(t.Context(), "aws-kms://arn:aws:kms:sa-east-1:111122223333:key/0001")
	require.NoError(t, err)
	requireBound(t, kek)
}

func TestAKEKIsOpenedByItsURI(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek.json")
	bare, err := OpenKEK(t.Context(), path)
	require.NoError(t, err)
	named, err := OpenKEK(t.Context(), "file://"+path)
	require.NoError(t, err)
	require.Equal(t, "file://"+path, named.Name)
	sealed, err := bare.Key.EncryptWithContext(t.Context(), []byte("x"), nil)
	require.NoError(t, err)
	_, err = named.Key.DecryptWithContext(t.Context(), sealed, nil)
	require.NoError(t, err)
	for _, wrong := range []string{
		"", "file://", "s3://canary/key", "hcvault://", "hcvault://canary", "hcvault://canary/transit/keys/", "hcvault://canary/transit/feira",
		"hcvault://me:canary@host/transit/keys/k", "hcvault://host/transit/keys/k?token=canary", "hcvault://host:canary:x/transit/keys/k",
		"aws-kms://canary", "aws-kms://arn:aws:kms", "gcp-kms://canary", "gcp-kms://projects/p/locations/l/keyRings/r/canary/k",
	} {
		_, err := OpenKEK(t.Context(), wrong)
		require.ErrorIs(t, err, ErrKEKURI, wrong)
		require.NotContains(t, err.Error(), "canary")
	}
	require.NoError(t, CheckKEK("hcvault://host:8200/team/transit/keys/feira"))
}

package vault

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

type holder struct {
	Shown  Secret
	hidden Secret
}

func TestASecretPrintsNowhere(t *testing.T) {
	t.Parallel()
	const value = "CANARY-7f3a"
	secret := NewSecret(value)
	credential := Credential{fields: map[string]Secret{"key": secret}}
	for _, printed := range []any{
		secret, &secret,
		holder{secret, secret},
		&holder{secret, secret},
		[]Secret{secret},
		map[string]Secret{"a": secret},
		credential, &credential,
		fmt.Errorf("wrapped: %v", secret), reflect.ValueOf(secret),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			require.NotContains(t, fmt.Sprintf(verb, printed), value, verb)
			require.NotContains(t, fmt.Sprintf(verb, printed), fmt.Sprintf("%x", value), verb)
		}
		encoded, _ := json.Marshal(printed)
		require.NotContains(t, string(encoded), value)
		encoded, _ = xml.Marshal(printed)
		require.NotContains(t, string(encoded), value)
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("said", "it", printed)
			require.NotContains(t, out.String(), value)
		}
	}
	require.Equal(t, "[redacted]", fmt.Sprint(secret))
	encoded, err := json.Marshal(holder{Shown: secret})
	require.NoError(t, err)
	require.JSONEq(t, `{"Shown":"[redacted]"}`, string(encoded))
	require.Equal(t, value, secret.Reveal())
	require.True(t, secret.Equal(NewSecret(value)))
	require.False(t, secret.Equal(NewSecret("other")))
	require.Empty(t, Secret{}.Reveal())
}

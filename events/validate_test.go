package events_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/schemas"
)

func TestValidateNamesThePlace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, schema, data string
		want               []string
	}{
		{"missing", "feira.session.opened.v1", `{"environment":"live"}`, []string{"/servers: is missing"}},
		{"unknown, with a name to be escaped", "control", `{"action":"cancel","a/b~c":1}`, []string{"/a~1b~0c: is unknown"}},
		{"type", "feira.session.closed.v1", `{"reason":7}`, []string{"/reason: got number, want string"}},
		{"enum", "feira.session.opened.v1", `{"servers":[],"environment":"prod"}`, []string{"/environment: value must be one of 'live', 'test'"}},
		{"null is no list", "feira.session.opened.v1", `{"servers":null,"environment":"live"}`, []string{"/servers: got null, want array"}},
		{"within a list", "feira.session.opened.v1", `{"servers":["a",1],"environment":"live"}`, []string{"/servers/1: got number, want string"}},
		{"within a definition", "feira.turn.started.v1", `{"request_sequence":1,"kind":"call","attempt":1,"worker":"w","call":{"tool":"t","arguments":"x"}}`, []string{"/call/arguments: got string, want object"}},
		{"negative sequence", "feira.turn.completed.v1", `{"request_sequence":-1,"status":"failed"}`, []string{"/request_sequence: minimum"}},
		{"date", "feira.approval.requested.v1", `{"approval_id":"a","iteration":1,"tool_calls":[],"reason":"r","expires_at":"tomorrow"}`, []string{"/expires_at: is no date-time"}},
		{"base64", "feira.letter.died.v1", `{"stream":"S","sequence":1,"subject":"s","reason":"r","detail":"d","data":"***","size":3,"deliveries":0}`, []string{"/data: is no base64"}},
		{"several", "worker_announced", `{"id":1}`, []string{"/busy: is missing", "/id: got number", "/slots: is missing"}},
		{"the whole", "control", `[]`, []string{"(document): got array, want object"}},
		{"id too long", "control", `{"action":"cancel","request":"` + strings.Repeat("r", 129) + `"}`, []string{"/request: maxLength"}},
		{"no JSON", "control", `{`, []string{"no JSON"}},
		{"two documents", "control", `{"action":"cancel"}{}`, []string{"no JSON"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := schemas.Validate(test.schema, []byte(test.data))
			require.ErrorIs(t, err, schemas.ErrInvalid)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			require.ErrorContains(t, err, test.schema)
		})
	}
}

// TestValidateKeepsValuesToItself: a customer's text is not to reach a log by
// way of an error.
func TestValidateKeepsValuesToItself(t *testing.T) {
	t.Parallel()
	for schema, data := range map[string]string{
		"control":                     `{"action":"sk_live_secret","request":"sk_live_secret !"}`,
		"feira.approval.requested.v1": `{"approval_id":"a","iteration":1,"tool_calls":[],"reason":"r","expires_at":"sk_live_secret"}`,
		"feira.letter.died.v1":        `{"stream":"S","sequence":1,"subject":"s","reason":"r","detail":"d","data":"sk_live_secret","size":3,"deliveries":0}`,
		"feira.session.closed.v1":     `{"reason":["sk_live_secret"]}`,
	} {
		err := schemas.Validate(schema, []byte(data))
		require.ErrorIs(t, err, schemas.ErrInvalid)
		require.NotContains(t, err.Error(), "sk_live_secret")
	}
}

func TestValidateKnowsItsNames(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, schemas.Validate("feira.turn.dreamt.v1", []byte(`{}`)), schemas.ErrUnknown)
	names, err := schemas.Names()
	require.NoError(t, err)
	require.IsIncreasing(t, names)
	require.Subset(t, names, []string{"control", "event.headers", "feira.turn.started.v1", "request", "request.headers", "run.headers"})
}

func TestValidateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if err := schemas.Validate("control", []byte(`{"action":"cancel"}`)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

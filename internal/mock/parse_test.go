package mock_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
)

const (
	badKey   = "the key is neither of the form server/tool nor the name of a meta-tool"
	badValue = "the value is neither a JSON object nor a list of JSON objects"
	badItem  = "the entry of the list is no JSON object"
	noObject = "mocks is no JSON object"
)

func TestGoodMocks(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`{}`,
		`{"asaas/create_payment":{}}`,
		`{"asaas/create_payment":{"id":"pay_1","n":1.50}}`,
		`{"asaas/get_payment":[{"status":"PENDING"},{"status":"CONFIRMED"}]}`,
		`{"0/0":{},"melhor-envio/add_cart":{},"z-api/send-text_2":{}}`,
		`{"codespar_charge":{},"a":[{}],"a_b1_":{}}`,
		`{"nobody/knows_this":{}}`,
		`{"a/b__c":{}}`,
	} {
		set, err := mock.Parse([]byte(raw))
		require.NoError(t, err, raw)
		require.Equal(t, raw, string(set.Raw()), "what is declared is what is kept")
	}
	set, err := mock.Parse([]byte("\n {\"a\" : {\t\"b\": [ 1 , 2.0 ] } }"))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(`{"a":{"b":[1,2.0]}}`, string(set.Raw())))
}

// Each answer is compared byte for byte with the one that goes over HTTP.
func TestBadMocks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct{ field, message string }{
		``:                                {"/mocks", noObject},
		`null`:                            {"/mocks", noObject},
		`[]`:                              {"/mocks", noObject},
		`"sk_live_x"`:                     {"/mocks", noObject},
		`7`:                               {"/mocks", noObject},
		`{`:                               {"/mocks", noObject},
		`{}{}`:                            {"/mocks", noObject},
		`{"":{}}`:                         {"/mocks/", badKey},
		`{"BAD/Tool":{}}`:                 {"/mocks/BAD~1Tool", badKey},
		`{"asaas__create":{}}`:            {"/mocks/asaas__create", badKey},
		`{"codespar__charge":{}}`:         {"/mocks/codespar__charge", badKey},
		`{"no-separator":{}}`:             {"/mocks/no-separator", badKey},
		`{"1a":{}}`:                       {"/mocks/1a", badKey},
		`{"_a":{}}`:                       {"/mocks/_a", badKey},
		`{"a/":{}}`:                       {"/mocks/a~1", badKey},
		`{"/a":{}}`:                       {"/mocks/~1a", badKey},
		`{"a/b/c":{}}`:                    {"/mocks/a~1b~1c", badKey},
		`{"-a/b":{}}`:                     {"/mocks/-a~1b", badKey},
		`{"a/-b":{}}`:                     {"/mocks/a~1-b", badKey},
		`{"a_b/c":{}}`:                    {"/mocks/a_b~1c", badKey},
		`{"a/b\n":{}}`:                    {"/mocks/a~1b\n", badKey},
		`{"a/é":{}}`:                      {"/mocks/a~1é", badKey},
		`{"~a/b":{}}`:                     {"/mocks/~0a~1b", badKey},
		`{"~1":{}}`:                       {"/mocks/~01", badKey},
		`{"a/b":null}`:                    {"/mocks/a~1b", badValue},
		`{"a/b":"sk_live_x"}`:             {"/mocks/a~1b", badValue},
		`{"a/b":1}`:                       {"/mocks/a~1b", badValue},
		`{"a/b":true}`:                    {"/mocks/a~1b", badValue},
		`{"a/b":[]}`:                      {"/mocks/a~1b", "the list is empty"},
		`{"asaas/create_payment":[null]}`: {"/mocks/asaas~1create_payment/0", badItem},
		`{"a/b":[{},"sk_live_x"]}`:        {"/mocks/a~1b/1", badItem},
		`{"a/b":[{},{},[]]}`:              {"/mocks/a~1b/2", badItem},
		`{"a/b":1,"BAD":1}`:               {"/mocks/a~1b", badValue},
		`{"BAD":1,"a/b":1}`:               {"/mocks/BAD", badKey},
		`{"a/b":{},"c":{},"a/b":1}`:       {"/mocks/a~1b", badValue},
	} {
		_, err := mock.Parse([]byte(raw))
		refused, ok := mock.As(err)
		require.True(t, ok, raw)
		require.Equal(t, &mock.Error{Code: "mocks_invalid", Field: want.field, Message: want.message}, refused, raw)
		require.NotContains(t, refused.Message, "sk_live_x")
		require.NotContains(t, err.Error(), "sk_live_x")
	}
	_, err := mock.Parse([]byte(`{"asaas/create_payment":[1]}`))
	told, failed := json.Marshal(err)
	require.NoError(t, failed)
	require.Empty(t, cmp.Diff(`{"code":"mocks_invalid","field":"/mocks/asaas~1create_payment/0","message":"the entry of the list is no JSON object"}`, string(told)))
	require.EqualError(t, err, "/mocks/asaas~1create_payment/0: the entry of the list is no JSON object")
}

func TestTheLastOfTwoEqualKeysCounts(t *testing.T) {
	t.Parallel()
	set, err := mock.Parse([]byte(`{"a":1,"a":{"n":2}}`))
	require.NoError(t, err)
	require.Equal(t, mock.Answer{Output: `{"n":2}`}, set.Answer("a", 0))
}

// sized is mocks of so many bytes.
func sized(size int) string {
	const frame = `{"a/b":{"x":""}}`
	return `{"a/b":{"x":"` + strings.Repeat("x", size-len(frame)) + `"}}`
}

func TestMocksAtTheSizeLimit(t *testing.T) {
	t.Parallel()
	require.Equal(t, 64<<10, events.MaxMocksBytes)
	for size, ok := range map[int]bool{events.MaxMocksBytes - 1: true, events.MaxMocksBytes: true, events.MaxMocksBytes + 1: false} {
		set, err := mock.Parse([]byte(sized(size)))
		if ok {
			require.NoError(t, err, size)
			require.Len(t, set.Raw(), size)
			require.NoError(t, (&events.SessionOpened{Servers: []string{}, Environment: events.EnvironmentTest, Mocks: set.Raw()}).Validate())
			continue
		}
		told, failed := json.Marshal(err)
		require.NoError(t, failed)
		require.Empty(t, cmp.Diff(`{"code":"mocks_payload_too_large","message":"mocks has 65537 bytes of JSON, at most 65536 are allowed"}`, string(told)))
		require.EqualError(t, err, "mocks has 65537 bytes of JSON, at most 65536 are allowed")
	}
	_, err := mock.Parse([]byte(strings.Repeat(" ", events.MaxMocksBytes) + sized(events.MaxMocksBytes)))
	require.NoError(t, err, "blanks do not count")
}

// The flag is looked at before the size, the size before the shape.
func TestGateOrder(t *testing.T) {
	t.Parallel()
	large, wrong := sized(events.MaxMocksBytes+1), `{"BAD":1}`
	largeAndWrong := strings.Replace(large, "a/b", "BAD", 1)
	for _, test := range []struct {
		testMode    bool
		environment events.Environment
		raw         string
		want        string
	}{
		{false, events.EnvironmentTest, `{}`, "mocks_not_permitted"},
		{false, events.EnvironmentTest, largeAndWrong, "mocks_not_permitted"},
		{false, events.EnvironmentLive, wrong, "mocks_not_permitted"},
		{true, events.EnvironmentLive, `{}`, "mocks_not_permitted"},
		{true, events.EnvironmentLive, largeAndWrong, "mocks_not_permitted"},
		{true, "", `{}`, "mocks_not_permitted"},
		{true, events.EnvironmentTest, large, "mocks_payload_too_large"},
		{true, events.EnvironmentTest, largeAndWrong, "mocks_payload_too_large"},
		{true, events.EnvironmentTest, wrong, "mocks_invalid"},
		{true, events.EnvironmentTest, `{}`, ""},
	} {
		set, err := mock.Gate{TestMode: test.testMode}.Admit([]byte(test.raw), test.environment)
		if test.want == "" {
			require.NoError(t, err)
			require.NotNil(t, set)
			continue
		}
		refused, ok := mock.As(err)
		require.True(t, ok)
		require.Equal(t, test.want, refused.Code)
	}
	_, err := mock.Gate{}.Admit([]byte(`{}`), events.EnvironmentLive)
	require.ErrorIs(t, err, mock.ErrTestModeOff)
	_, err = mock.Gate{TestMode: true}.Admit([]byte(`{}`), events.EnvironmentLive)
	require.ErrorIs(t, err, mock.ErrLive)
	told, err := json.Marshal(mock.ErrTestModeOff)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(`{"code":"mocks_not_permitted","message":"mocks are not permitted in this deployment; set FEIRA_TEST_MODE=true to enable them"}`, string(told)))
}

func TestErrorsAreTold(t *testing.T) {
	t.Parallel()
	_, err := mock.Parse(nil)
	refused, ok := mock.As(fmt.Errorf("opening a session: %w", err))
	require.True(t, ok)
	require.Equal(t, "mocks_invalid", refused.Code)
	_, ok = mock.As(events.ErrTooLarge)
	require.False(t, ok)
}

// Whatever comes in: a set that is taken answers as declared and is the same
// after a way through the log; a refusal names a place and repeats nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a/b":{}}`, `{"a/b":[{},{"x":[1.0,"é"]}],"codespar_pay":{"a":1,"a":2}}`, `{"a/b":[1]}`, `{"~/":{}}`, `null`, "{\"a\":{\"b\":\"\xff\"}}", `{"a":{"\ud800":"\u2028"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := mock.Parse(raw)
		if err != nil {
			refused, ok := mock.As(err)
			require.True(t, ok)
			require.Contains(t, []string{events.ReasonMocksInvalid, events.ReasonMocksTooLarge}, refused.Code)
			require.Equal(t, refused.Code == events.ReasonMocksInvalid, strings.HasPrefix(refused.Field, "/mocks"))
			return
		}
		require.LessOrEqual(t, len(set.Raw()), events.MaxMocksBytes)
		require.True(t, utf8.Valid(set.Raw()))
		again := mock.Read(set.Raw())
		require.True(t, set.Equal(again))
		require.Equal(t, set.Raw(), again.Raw())
		var declared map[string]any
		require.NoError(t, json.Unmarshal(set.Raw(), &declared))
		for key, value := range declared {
			if list, isList := value.([]any); isList {
				for at, item := range list {
					answer := set.Answer(key, at)
					require.Equal(t, at+1, answer.Index)
					requireSame(t, item, answer.Output)
				}
				require.Equal(t, events.FaultMocksExhausted, set.Answer(key, len(list)).Fault.Code)
				continue
			}
			require.Zero(t, set.Answer(key, 3).Index)
			requireSame(t, value, set.Answer(key, 3).Output)
		}
	})
}

func requireSame(t *testing.T, declared any, output string) {
	t.Helper()
	var got any
	require.NoError(t, json.Unmarshal([]byte(output), &got))
	require.Equal(t, declared, got)
}

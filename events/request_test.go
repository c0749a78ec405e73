package events_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

func header(pairs ...string) events.Header {
	header := events.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

func TestHeadOfABareRequest(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	message := events.Message{Subject: events.RequestsSubject("acme"), Sequence: 7, Time: received}
	head, err := events.ParseRequestHead(message, 16)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(events.RequestHead{
		Tenant: "acme", Session: events.DerivedSession("acme", 7), ID: "req_7", Kind: events.KindTurn,
		Priority: events.PriorityNormal, Sequence: 7, Received: received, Size: 16,
	}, head))
	require.Equal(t, events.TurnKey(head.Session), head.Key())
}

// TestHeadTakesTheTenantFromTheSubject: a header or body that names another
// tenant is the oldest way into another's account.
func TestHeadTakesTheTenantFromTheSubject(t *testing.T) {
	t.Parallel()
	message := events.Message{
		Subject: events.RequestsSubject("acme"),
		Header:  header(events.HeaderTenant, "rival", events.HeaderSubject, "rival", events.HeaderSource, "/tenants/rival"),
	}
	head, err := events.ParseRequestHead(message, 0)
	require.NoError(t, err)
	require.Equal(t, events.TenantID("acme"), head.Tenant)
}

func TestHeadNamesTheHeaderAtFault(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		header events.Header
		want   []string
	}{
		{"request id", header(events.HeaderID, "a b"), []string{"header Ce-Id"}},
		{"request id too long", header(events.HeaderID, strings.Repeat("r", events.MaxRequestID+1)), []string{"header Ce-Id", "129 bytes"}},
		{"session", header(events.HeaderSession, "a.b"), []string{"header Feira-Session"}},
		{"session too long", header(events.HeaderSession, strings.Repeat("s", events.MaxSessionID+1)), []string{"header Feira-Session", "65 bytes"}},
		{"kind", header(events.HeaderKind, "dream"), []string{"header Feira-Kind"}},
		{"priority", header(events.HeaderPriority, "urgent"), []string{"header Feira-Priority"}},
		{"not before", header(events.HeaderNotBefore, "tomorrow"), []string{"header Feira-Not-Before"}},
		{"expires", header(events.HeaderExpires, "never"), []string{"header Feira-Expires"}},
		{"all at once", header(events.HeaderID, " ", events.HeaderSession, " ", events.HeaderKind, " ", events.HeaderPriority, " ", events.HeaderNotBefore, " "), []string{
			"header Ce-Id", "header Feira-Session", "header Feira-Kind", "header Feira-Priority", "header Feira-Not-Before",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message := events.Message{Subject: events.RequestsSubject("acme"), Header: test.header, Sequence: 7}
			head, err := events.ParseRequestHead(message, 0)
			require.ErrorIs(t, err, events.ErrInvalidRequest)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			requireRefusable(t, head, 7)
		})
	}
}

// requireRefusable: whatever is wrong with a request, its refusal can be
// written down under legal names.
func requireRefusable(t require.TestingT, head events.RequestHead, sequence uint64) {
	require.Equal(t, sequence, head.Sequence)
	if head.Tenant != events.IllegalTenant {
		_, err := events.ParseTenantID(string(head.Tenant))
		require.NoError(t, err)
	}
	_, err := events.ParseSessionID(string(head.Session))
	require.NoError(t, err)
	_, err = events.ParseRequestID(string(head.ID))
	require.NoError(t, err)
	require.Contains(t, []events.Kind{events.KindTurn, events.KindCall}, head.Kind)
}

func TestHeadAtTheLimits(t *testing.T) {
	t.Parallel()
	tenant := strings.Repeat("t", events.MaxTenantID)
	message := events.Message{
		Subject: events.RequestsSubject(events.TenantID(tenant)),
		Header: header(
			events.HeaderID, strings.Repeat("r", events.MaxRequestID),
			events.HeaderSession, strings.Repeat("s", events.MaxSessionID),
		),
		Sequence: 7,
	}
	require.Equal(t, 192<<10, events.MaxRequestBytes)
	for size, ok := range map[int]bool{0: true, events.MaxRequestBytes - 1: true, events.MaxRequestBytes: true, events.MaxRequestBytes + 1: false} {
		head, err := events.ParseRequestHead(message, size)
		require.Equal(t, size, head.Size)
		requireRefusable(t, head, 7)
		if ok {
			require.NoError(t, err, "%d bytes", size)
			require.Len(t, head.ID, events.MaxRequestID)
			require.Len(t, head.Session, events.MaxSessionID)
			continue
		}
		require.ErrorIs(t, err, events.ErrTooLarge)
		require.ErrorContains(t, err, strconv.Itoa(events.MaxRequestBytes+1)+" bytes, at most ")
	}
	message.Subject += "t"
	head, err := events.ParseRequestHead(message, 0)
	require.ErrorIs(t, err, events.ErrInvalidID)
	require.Equal(t, events.IllegalTenant, head.Tenant)
	requireRefusable(t, head, 7)
}

func TestRequestBodies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		kind events.Kind
		body string
		want string // "" for a good one
	}{
		{"turn", events.KindTurn, `{"message":"hi"}`, ""},
		{"turn with what nobody knows", events.KindTurn, `{"message":"hi","from_the_future":[1]}`, ""},
		{"turn without a message", events.KindTurn, `{}`, "field message"},
		{"turn with a tool", events.KindTurn, `{"message":"hi","tool":"a__b"}`, "field tool"},
		{"call", events.KindCall, `{"tool":"a__b"}`, ""},
		{"call with arguments", events.KindCall, `{"tool":"a__b","arguments": {"x":1}}`, ""},
		{"call without a tool", events.KindCall, `{"message":"hi"}`, "field tool"},
		{"call with a list", events.KindCall, `{"tool":"a__b","arguments":[1]}`, "field arguments"},
		{"call with a text", events.KindCall, `{"tool":"a__b","arguments":"{}"}`, "field arguments"},
		{"no kind", "", `{"message":"hi"}`, "kind"},
		{"foreign kind", "dream", `{"message":"hi"}`, "kind"},
		{"empty", events.KindTurn, ``, "body"},
		{"no JSON", events.KindTurn, `{`, "body"},
		{"not an object", events.KindTurn, `"hi"`, "body"},
		{"two objects", events.KindTurn, `{"message":"hi"}{}`, "body"},
		{"wrong type", events.KindTurn, `{"message":7}`, "message"},
		{"metadata of numbers", events.KindTurn, `{"message":"hi","metadata":{"a":1}}`, "metadata"},
		{"deep", events.KindCall, `{"tool":"a","arguments":` + strings.Repeat("[", 20000) + `}`, "body"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := events.ParseRequest(test.kind, []byte(test.body))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, events.ErrInvalidRequest)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestNewRequestRefusesWhatAWorkerWould(t *testing.T) {
	t.Parallel()
	good := events.Request{Message: "hi"}
	for name, test := range map[string]struct {
		params  events.RequestParams
		request events.Request
		want    error
	}{
		"no tenant":      {events.RequestParams{}, good, events.ErrInvalidID},
		"illegal tenant": {events.RequestParams{Tenant: events.IllegalTenant}, good, events.ErrInvalidID},
		"a wider tenant": {events.RequestParams{Tenant: "acme.rival"}, good, events.ErrInvalidID},
		"session":        {events.RequestParams{Tenant: "acme", Session: "a b"}, good, events.ErrInvalidID},
		"request id":     {events.RequestParams{Tenant: "acme", ID: "a b"}, good, events.ErrInvalidID},
		"kind":           {events.RequestParams{Tenant: "acme", Kind: "dream"}, good, events.ErrInvalidRequest},
		"priority":       {events.RequestParams{Tenant: "acme", Priority: 9}, good, events.ErrInvalidRequest},
		"no message":     {events.RequestParams{Tenant: "acme"}, events.Request{}, events.ErrInvalidRequest},
		"broken json":    {events.RequestParams{Tenant: "acme", Kind: events.KindCall}, events.Request{Tool: "a", Arguments: json.RawMessage("{")}, events.ErrInvalidRequest},
		"too large":      {events.RequestParams{Tenant: "acme"}, events.Request{Message: strings.Repeat("x", events.MaxRequestBytes)}, events.ErrTooLarge},
	} {
		_, err := events.NewRequest(test.params, test.request)
		require.ErrorIs(t, err, test.want, name)
	}
	room := events.MaxRequestBytes - len(`{"message":""}`)
	message, err := events.NewRequest(events.RequestParams{Tenant: "acme"}, events.Request{Message: strings.Repeat("x", room)})
	require.NoError(t, err)
	require.Len(t, message.Data, events.MaxRequestBytes)
	_, err = events.NewRequest(events.RequestParams{Tenant: "acme"}, events.Request{Message: strings.Repeat("x", room+1)})
	require.ErrorIs(t, err, events.ErrTooLarge)
}

// TestRequestsRoundTrip: what a producer says is what scheduler and worker read.
func TestRequestsRoundTrip(t *testing.T) {
	t.Parallel()
	token := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`)
	rapid.Check(t, func(t *rapid.T) {
		params := events.RequestParams{
			Tenant:   events.TenantID(token.Draw(t, "tenant")),
			Session:  events.SessionID(token.Draw(t, "session")),
			ID:       events.RequestID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._:-]{0,127}`).Draw(t, "id")),
			Kind:     rapid.SampledFrom([]events.Kind{events.KindTurn, events.KindCall}).Draw(t, "kind"),
			Priority: rapid.SampledFrom([]events.Priority{events.PriorityInteractive, events.PriorityNormal, events.PriorityBulk}).Draw(t, "priority"),
		}
		if rapid.Bool().Draw(t, "later") {
			params.NotBefore = time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "not before"), 0).UTC()
			params.Expires = time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "expires"), rapid.Int64Range(0, 1e9-1).Draw(t, "fraction")).UTC()
		}
		request := events.Request{Message: rapid.StringN(1, 200, -1).Draw(t, "message")}
		if params.Kind == events.KindCall {
			request = events.Request{Tool: token.Draw(t, "tool"), Arguments: json.RawMessage(`{"a":1}`)}
		}
		message, err := events.NewRequest(params, request)
		require.NoError(t, err)
		head, err := events.ParseRequestHead(message, len(message.Data))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(events.RequestHead{
			Tenant: params.Tenant, Session: params.Session, ID: params.ID, Kind: params.Kind,
			Priority: params.Priority, NotBefore: params.NotBefore, Expires: params.Expires, Size: len(message.Data),
		}, head))
		read, err := events.ParseRequest(head.Kind, message.Data)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(request, read))
	})
}

func TestPriorities(t *testing.T) {
	t.Parallel()
	for priority := events.PriorityInteractive; priority <= events.PriorityBulk; priority++ {
		parsed, err := events.ParsePriority(priority.String())
		require.NoError(t, err)
		require.Equal(t, priority, parsed)
	}
	parsed, err := events.ParsePriority("")
	require.NoError(t, err)
	require.Equal(t, events.PriorityNormal, parsed)
	require.Equal(t, "priority(9)", events.Priority(9).String())
}

func FuzzParseRequestHead(f *testing.F) {
	f.Add("feira.requests.acme", "order-1", "ses_1", "turn", "bulk", "2026-11-23T12:00:00Z", uint64(7), 16)
	f.Add("feira.requests.", "", "", "", "", "", uint64(0), -1)
	f.Add("feira.requests.acme.more", " ", "..", "call", "interactive", "0000-01-01T00:00:00Z", uint64(1)<<63, events.MaxRequestBytes+1)
	f.Fuzz(func(t *testing.T, subject, id, session, kind, priority, notBefore string, sequence uint64, size int) {
		message := events.Message{Subject: subject, Sequence: sequence, Header: header(
			events.HeaderID, id, events.HeaderSession, session, events.HeaderKind, kind,
			events.HeaderPriority, priority, events.HeaderNotBefore, notBefore,
		)}
		head, err := events.ParseRequestHead(message, size)
		requireRefusable(t, head, sequence)
		if err == nil {
			require.NotEqual(t, events.IllegalTenant, head.Tenant)
			require.LessOrEqual(t, head.Size, events.MaxRequestBytes)
		}
		_, _, err = events.SubjectRun(events.RunsSubject(head.Tenant, head.Key()))
		require.NoError(t, err, "the place of a run has to be a subject")
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add("turn", []byte(`{"message":"hi","metadata":{"a":"b"}}`))
	f.Add("call", []byte(`{"tool":"a__b","arguments":{"x":[1,2,{"y":null}]}}`))
	f.Add("", []byte(`null`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		request, err := events.ParseRequest(events.Kind(kind), data)
		if err != nil {
			require.ErrorIs(t, err, events.ErrInvalidRequest)
			return
		}
		written, err := events.NewRequest(events.RequestParams{Tenant: "acme", Kind: events.Kind(kind)}, request)
		if err != nil {
			require.ErrorIs(t, err, events.ErrTooLarge, "what is read can be written")
			return
		}
		_, err = events.ParseRequest(events.Kind(kind), written.Data)
		require.NoError(t, err)
	})
}

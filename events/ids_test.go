package events_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

// identifier is one kind of id with its parser.
type identifier struct {
	name  string
	limit int
	extra string
	parse func(string) (string, error)
}

func identifiers() []identifier {
	return []identifier{
		{"tenant", events.MaxTenantID, "_-", func(text string) (string, error) {
			id, err := events.ParseTenantID(text)
			return string(id), err
		}},
		{"session", events.MaxSessionID, "_-", func(text string) (string, error) {
			id, err := events.ParseSessionID(text)
			return string(id), err
		}},
		{"request id", events.MaxRequestID, "._:-", func(text string) (string, error) {
			id, err := events.ParseRequestID(text)
			return string(id), err
		}},
	}
}

func TestIdentifiersAtTheirLimits(t *testing.T) {
	t.Parallel()
	require.Equal(t, 64, events.MaxTenantID)
	require.Equal(t, 64, events.MaxSessionID)
	require.Equal(t, 128, events.MaxRequestID)
	for _, id := range identifiers() {
		for length, ok := range map[int]bool{0: false, 1: true, id.limit - 1: true, id.limit: true, id.limit + 1: false} {
			text := strings.Repeat("a", length)
			parsed, err := id.parse(text)
			if ok {
				require.NoError(t, err, "%s of %d bytes", id.name, length)
				require.Equal(t, text, parsed)
				continue
			}
			require.ErrorIs(t, err, events.ErrInvalidID, "%s of %d bytes", id.name, length)
			require.ErrorContains(t, err, id.name)
			require.Empty(t, parsed)
		}
	}
}

func TestIdentifiersRefuse(t *testing.T) {
	t.Parallel()
	for _, id := range identifiers() {
		for _, text := range []string{
			" ", "a b", "a/b", "a*", "*", ">", "a>", "a\n", "\x00", "é", "a\x7f", "$SYS", "a,b", "_a", "-a",
			"a\u200b", "ａ", "a%00", `a"`,
		} {
			_, err := id.parse(text)
			require.ErrorIs(t, err, events.ErrInvalidID, "%s %q", id.name, text)
		}
		_, err := id.parse("a.b")
		require.Equal(t, strings.Contains(id.extra, "."), err == nil, "%s with a dot", id.name)
		_, err = id.parse("a:b")
		require.Equal(t, strings.Contains(id.extra, ":"), err == nil, "%s with a colon", id.name)
	}
	_, err := events.ParseTenantID(string(events.IllegalTenant))
	require.ErrorIs(t, err, events.ErrInvalidID, "a tenant could take the name of all illegal ones")
}

// TestIdentifiersAreWhatTheirRuleSays compares with the rule as a pattern.
func TestIdentifiersAreWhatTheirRuleSays(t *testing.T) {
	t.Parallel()
	for _, id := range identifiers() {
		rule := regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9` + regexp.QuoteMeta(id.extra[:len(id.extra)-1]) + `-]*\z`)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.OneOf(
				rapid.String(),
				rapid.StringMatching(`[A-Za-z0-9._:-]{1,140}`),
				rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,70}`),
			).Draw(t, "text")
			_, err := id.parse(text)
			require.Equal(t, rule.MatchString(text) && len(text) <= id.limit, err == nil, "%s %q", id.name, text)
		})
	}
}

func TestIdsOfProducersHaveNoTag(t *testing.T) {
	t.Parallel()
	for _, id := range []events.SessionID{"", "ses_", "order-1001", "ses_onpkysw4euqafvkc6wseuhz", "ses_onpkysw4euqafvkc6wseuhzia", "sex_onpkysw4euqafvkc6wseuhzi"} {
		_, ok := events.SessionTag(id)
		require.False(t, ok, id)
	}
}

// TestDerivedIdentifiers: what Feira derives is legal, a producer can know it
// from the acknowledgement, and no two requests share it.
func TestDerivedIdentifiers(t *testing.T) {
	t.Parallel()
	require.Equal(t, events.SessionID("ses_onpkysw4euqafvkc6wseuhzi"), events.DerivedSession("acme", 7), "a change here loses every producer's sessions")
	require.Equal(t, events.RequestID("req_7"), events.DerivedRequest(7))
	rapid.Check(t, func(t *rapid.T) {
		tenant := events.TenantID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`).Draw(t, "tenant"))
		sequence := rapid.Uint64().Draw(t, "sequence")
		session := events.DerivedSession(tenant, sequence)
		_, err := events.ParseSessionID(string(session))
		require.NoError(t, err)
		require.Equal(t, session, events.DerivedSession(tenant, sequence))
		require.NotEqual(t, session, events.DerivedSession(tenant, sequence+1))
		require.NotEqual(t, session, events.DerivedSession(tenant+"x", sequence))
		tag, ok := events.SessionTag(session)
		require.True(t, ok)
		require.Equal(t, events.TenantTag(tenant), tag)
		_, err = events.ParseRequestID(string(events.DerivedRequest(sequence)))
		require.NoError(t, err)
	})
}

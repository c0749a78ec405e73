package events_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

func TestAToolCallsIdTellsItsPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		place := events.ToolCallPlace{
			Session:   events.SessionID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`).Draw(t, "session")),
			Request:   events.RequestID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._:-]{0,127}`).Draw(t, "request")),
			Iteration: rapid.IntRange(0, 1000).Draw(t, "iteration"),
			Index:     rapid.IntRange(0, 1000).Draw(t, "index"),
		}
		id := place.ID()
		require.Regexp(t, `^tc_[A-Za-z0-9_-]+$`, string(id))
		got, err := events.ParseToolCallID(string(id))
		require.NoError(t, err)
		require.Equal(t, place, got)
	})
}

func TestWhatIsNoToolCallsId(t *testing.T) {
	t.Parallel()
	encode := func(text string) string { return "tc_" + base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, text := range []string{
		"", "tc_", "tc_!", encode("s/r/0"), encode("s/r/0/0/0"), encode("s/r/-1/0"), encode("s/r/0/65536"), encode("s.x/r/0/0"), encode("/r/0/0"),
		base64.RawURLEncoding.EncodeToString([]byte("s/r/0/0")),
	} {
		_, err := events.ParseToolCallID(text)
		require.ErrorIs(t, err, events.ErrInvalidID, text)
	}
}

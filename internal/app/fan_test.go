package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/workers/triggers"
)

// The cursor on the real broker: a place that anybody can find, and that one at
// a time can move.
func TestTheCursorIsTakenOver(t *testing.T) {
	t.Parallel()
	records, err := setupFan(t).kv.Records(t.Context(), events.BucketCursors)
	require.NoError(t, err)
	old := cursor{records: records, key: events.KeyFanCursor}
	sequence, revision, err := old.Load(t.Context())
	require.NoError(t, err)
	require.Zero(t, sequence)
	mine, err := old.Save(t.Context(), 7, revision)
	require.NoError(t, err)

	successor := cursor{records: records, key: events.KeyFanCursor}
	sequence, revision, err = successor.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(7), sequence)
	_, err = successor.Save(t.Context(), sequence, revision)
	require.NoError(t, err)
	_, err = old.Save(t.Context(), 6, mine)
	require.ErrorIs(t, err, triggers.ErrDeposed)
	sequence, revision, err = successor.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(7), sequence)

	_, err = records.Save(t.Context(), events.KeyFanCursor, []byte("-1"), revision)
	require.NoError(t, err)
	_, _, err = successor.Load(t.Context())
	require.ErrorIs(t, err, natskv.ErrMalformed, "what cannot be read is not taken for the beginning")
}

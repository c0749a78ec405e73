package ledger_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/usage"
)

// sqliteFile is a database of the suite on disk.
type sqliteFile string

func newSQLiteFile(tb testing.TB) ledgertest.Database {
	tb.Helper()
	return sqliteFile(filepath.Join(tb.TempDir(), "ledger ?%&#.db"))
}

func (f sqliteFile) Open(tb testing.TB, now func() time.Time) *ledger.Ledger {
	tb.Helper()
	book, err := ledger.Open(tb.Context(), ledger.Config{Path: string(f), Now: now})
	require.NoError(tb, err)
	return book
}

func (f sqliteFile) Exec(tb testing.TB, statement string) {
	tb.Helper()
	name := url.URL{Scheme: "file", OmitHost: true, Path: string(f), RawQuery: "_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", name.String())
	require.NoError(tb, err)
	_, err = db.ExecContext(tb.Context(), statement)
	require.NoError(tb, err)
	require.NoError(tb, db.Close())
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, newSQLiteFile)
}

func TestOpenFaults(t *testing.T) {
	t.Parallel()
	_, err := ledger.Open(t.Context(), ledger.Config{})
	require.ErrorContains(t, err, "path")

	folder := t.TempDir()
	_, err = ledger.Open(t.Context(), ledger.Config{Path: folder})
	require.Error(t, err)

	garbage := filepath.Join(folder, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("this is no database, whatever the name of the file says"), 0o600))
	_, err = ledger.Open(t.Context(), ledger.Config{Path: garbage})
	require.ErrorContains(t, err, "opening the ledger")
}

func TestOnlyTheOwnerReadsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "ledger.db")
	book, err := ledger.Open(t.Context(), ledger.Config{Path: path})
	require.NoError(t, err)
	_, err = book.Record(t.Context(), usage.ReadBatch([]events.Message{ledgertest.ToolCall(t, "acme", "ses_1", 0)}))
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, files, 3, "database, WAL and shared memory")
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	require.NoError(t, book.Close())
}

func TestZoneIsFixed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	book, err := ledger.Open(t.Context(), ledger.Config{Path: path})
	require.NoError(t, err)
	require.Equal(t, usage.DefaultZone, book.Zone().String())
	require.NoError(t, book.Close())
	_, err = ledger.Open(t.Context(), ledger.Config{Path: path, Zone: time.UTC})
	require.ErrorIs(t, err, ledger.ErrZoneChanged)
	book, err = ledger.Open(t.Context(), ledger.Config{Path: path})
	require.NoError(t, err)
	require.NoError(t, book.Close())
}

// Two roles of one machine may start at one time on a file that is not there.
func TestOpenedAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			book, err := ledger.Open(t.Context(), ledger.Config{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			if err := book.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// Two processes may record the same events at one time: each event is booked by
// one of them.
func TestTwoLedgersOnOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	var messages []events.Message
	for n := range 200 {
		messages = append(messages, ledgertest.ToolCall(t, "acme", "ses_1", n))
	}
	batch := usage.ReadBatch(messages)
	outcomes := make(chan usage.Outcome, 2)
	var group sync.WaitGroup
	for range 2 {
		book, err := ledger.Open(t.Context(), ledger.Config{Path: path})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, book.Close()) })
		group.Go(func() {
			outcome, err := book.Record(t.Context(), batch)
			if err != nil {
				t.Error(err)
			}
			outcomes <- outcome
		})
	}
	group.Wait()
	require.Equal(t, usage.Outcome{Inserted: 200, Duplicates: 200}, (<-outcomes).Add(<-outcomes))
}

func TestRecordAfterCloseIsAnError(t *testing.T) {
	t.Parallel()
	book, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "ledger.db")})
	require.NoError(t, err)
	require.NoError(t, book.Close())
	_, err = book.Record(t.Context(), usage.ReadBatch([]events.Message{ledgertest.ToolCall(t, "acme", "ses_1", 0)}))
	require.ErrorContains(t, err, "recording usage")
}

package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

// crashFile is set for the test binary when it is to be the writer that gets
// killed: the ledger's file, or its address.
const crashTarget = "FEIRA_LEDGER_CRASH_TARGET"

const (
	crashLives   = 12
	crashBatches = 30
	crashRows    = 50
)

func TestMain(m *testing.M) {
	if target := os.Getenv(crashTarget); target != "" {
		if err := writeUntilKilled(context.Background(), crashConfig(target), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m)
}

func crashConfig(target string) ledger.Config {
	if ledger.IsPostgres(target) {
		return ledger.Config{DSN: target}
	}
	return ledger.Config{Path: target}
}

// crashBatch is the n-th batch of the ground truth. Batches overlap by half, so
// that a batch which was recorded in part would be seen.
func crashBatch(t require.TestingT, n int) []events.Message {
	batch := make([]events.Message, 0, crashRows)
	for i := range crashRows {
		at := n*crashRows/2 + i
		tenant := events.TenantID("tenant_" + strconv.Itoa(at%3))
		if at%4 == 0 {
			batch = append(batch, ledgertest.ModelReply(t, tenant, "ses_1", at))
			continue
		}
		batch = append(batch, ledgertest.ToolCall(t, tenant, "ses_2", at))
	}
	return batch
}

// failure makes require's verdict an error, in a process that runs no test.
type failure struct{ err error }

func (f *failure) Errorf(format string, args ...any) { f.err = fmt.Errorf(format, args...) }
func (f *failure) FailNow()                          { panic(f.err) }

// writeUntilKilled records everything from the beginning, as a consumer does
// whose acknowledgements were all lost, and says before each batch that it is
// about to.
func writeUntilKilled(ctx context.Context, config ledger.Config, out io.Writer) error {
	book, err := ledger.Open(ctx, config)
	if err != nil {
		return err
	}
	for n := range crashBatches {
		if _, err := fmt.Fprintln(out, n); err != nil {
			return err
		}
		if _, err := book.Record(ctx, usage.ReadBatch(crashBatch(&failure{}, n))); err != nil {
			return err
		}
	}
	return book.Close()
}

// A writer is killed with SIGKILL at random moments, again and again. After
// every death the ledger agrees with itself; after a last life that nobody cuts
// short it holds exactly the ground truth.
func TestKilledWriterLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]func(testing.TB) string{
		"SQLite":   func(tb testing.TB) string { tb.Helper(); return filepath.Join(tb.TempDir(), "ledger.db") },
		"Postgres": func(tb testing.TB) string { tb.Helper(); return testenv.Postgres(tb) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killWriters(t, target(t))
		})
	}
}

func killWriters(t *testing.T, target string) {
	t.Helper()
	random := rand.New(rand.NewPCG(2026, 11))
	furthest := 0
	for life := range crashLives {
		// Each life gets a little further than the last, so that it dies in a
		// batch that is new, and at another point of it.
		batch := life*(crashBatches-2)/crashLives + random.IntN(2)
		furthest = max(furthest, killAt(t, target, batch, time.Duration(random.IntN(4_000))*time.Microsecond))
		requireSound(t, target)
	}
	require.Positive(t, furthest)
	require.Equal(t, crashBatches-1, killAt(t, target, crashBatches, 0), "the last life is not cut short")

	book, err := ledger.Open(t.Context(), crashConfig(target))
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	tallies := map[events.TenantID]*usage.Tally{}
	seen := map[usage.ID]bool{}
	for n := range crashBatches {
		for _, row := range usage.ReadBatch(crashBatch(t, n)).Rows {
			if seen[row.ID] {
				continue
			}
			seen[row.ID] = true
			if tallies[row.Tenant] == nil {
				tallies[row.Tenant] = usage.NewTally()
			}
			require.NoError(t, tallies[row.Tenant].AddRow(row))
		}
	}
	for tenant, tally := range tallies {
		totals, err := book.Totals(t.Context(), tenant, usage.Period{})
		require.NoError(t, err)
		exact := cmp.Comparer(func(a, b usage.Amount) bool { return a == b })
		require.Empty(t, cmp.Diff(tally.Totals(), totals, exact))
	}
	found, err := book.Verify(t.Context())
	require.NoError(t, err)
	require.True(t, found.OK())
	require.Equal(t, len(seen), found.Rows)
}

// killAt starts a writer and kills it a moment after it has begun a batch. It
// returns the last batch begun.
func killAt(t *testing.T, target string, batch int, after time.Duration) int {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashTarget+"="+target)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	last, killed := -1, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last, err = strconv.Atoi(lines.Text())
		require.NoError(t, err)
		if last == batch && !killed {
			<-time.After(after)
			killed = true
			require.NoError(t, child.Process.Kill())
		}
	}
	err = child.Wait()
	if killed {
		require.Error(t, err, "it was killed")
	} else {
		require.NoError(t, err)
	}
	return last
}

// requireSound opens what a dead writer left and lets the ledger check itself.
func requireSound(t *testing.T, target string) {
	t.Helper()
	book, err := ledger.Open(t.Context(), crashConfig(target))
	require.NoError(t, err)
	found, err := book.Verify(t.Context())
	require.NoError(t, err)
	require.True(t, found.OK(), "%+v", found.Differences)
	require.NoError(t, book.Close())
}

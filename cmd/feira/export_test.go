package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExportToFiles(t *testing.T) {
	t.Parallel()
	dsn, _ := used(t)
	dir := filepath.Join(t.TempDir(), "out")
	require.Contains(t, billing(t, exitOK, dsn, "export", "csv", "--dir", dir), "3 items in 1 batches, taken up to number 3 of 3")
	require.Contains(t, billing(t, exitOK, dsn, "export", "parquet", "--dir", dir), "3 items in 1 batches")
	require.Contains(t, billing(t, exitOK, dsn, "export", "csv", "--dir", dir), "0 items in 0 batches")
	require.Contains(t, billing(t, exitOK, dsn, "export", "check", "csv", "--dir", dir), "was asked: 1 sums of 3 items, 0 differences")
	require.Contains(t, billing(t, exitOK, dsn, "export", "list"), "parquet")
	files, err := filepath.Glob(filepath.Join(dir, "csv-*-*.csv"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	file, err := os.Open(files[0])
	require.NoError(t, err)
	lines, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Len(t, lines, 4)
	require.Equal(t, []string{"acme", "live", "tool_call", "call", "1"}, lines[1][2:7])

	require.NoError(t, os.Remove(files[0]))
	require.Contains(t, billing(t, exitFailed, dsn, "export", "check", "csv", "--dir", dir), "they have nothing of it: ours 3 in 3")
	require.Contains(t, billing(t, exitFailed, dsn, "export", "lago"), "FEIRA_EXPORT_KEY")
	settings := filepath.Join(t.TempDir(), "export.yaml")
	require.NoError(t, os.WriteFile(settings, []byte("sink: stripe\nname: stripe-live\n"), 0o600))
	require.Contains(t, billing(t, exitFailed, dsn, "--export-key", "sk_test_x", "export", "stripe", "--settings", settings),
		"not in the settings: meter tool_call.call, tenant acme")
	require.Contains(t, billing(t, exitFailed, dsn, "export", "csv", "--settings", settings), "the file is for stripe, not csv")
}

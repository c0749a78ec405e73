package bench_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/bench"
)

// expectWritten writes the report of one bench and reads it as its readers do.
func expectWritten(t *testing.T, name string, report bench.Report) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	require.NoError(t, report.Write(dir, "feira bench "+name))

	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	require.NoError(t, err)
	want, err := json.Marshal(report)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(data))

	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	require.NoError(t, err)
	for _, word := range []string{"feira bench " + name, "cores", "nats-server " + report.Machine.Server, "embedded", "synced", "| " + name + " |", "reached"} {
		require.Contains(t, string(text), word)
	}
	picture, err := os.ReadFile(filepath.Join(dir, name+".svg"))
	if name == "throughput" || name == "scale" || name == "turns" || name == "metering" {
		require.ErrorIs(t, err, os.ErrNotExist)
		return
	}
	require.NoError(t, err)
	require.Contains(t, string(text), "("+name+".svg)")
	require.Contains(t, string(picture), "<svg")
	require.NoError(t, wellFormed(picture))
}

// wellFormed is the first fault of a document.
func wellFormed(document []byte) error {
	for decoder := xml.NewDecoder(bytes.NewReader(document)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestReportJudgesAndHasNoPlotOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, bench.Report{Turns: &bench.Turns{TurnsPerSecond: 9_999}}.Write(dir, "feira bench turns"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), "| 9999 | ≥ 10000 | no |")
	require.NotContains(t, string(text), "svg")
}

func TestReportNeedsAFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		err := bench.Prepare(dir)
		require.ErrorIs(t, err, bench.ErrConfig)
		require.ErrorContains(t, err, "report")
	}
}

// Who asks for debug lines hears everything.
func TestBenchIsQuietUnlessAskedForDetail(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	config := tiny()
	config.Turns, config.Rounds = 10, 1
	config.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := bench.Run(t.Context(), config, "turns")
	require.NoError(t, err)
	require.Contains(t, lines.String(), "index is built")
}

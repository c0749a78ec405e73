package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/bench"
)

// One object on standard output, progress on standard error, and a profile
// where one was asked for.
func TestBenchPrintsOneObject(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	path := filepath.Join(t.TempDir(), "cpu.prof")
	code := run(t.Context(), []string{"bench", "turns", "--turns", "50", "--slots", "8", "--json", "--cpuprofile", path}, streams{out: &out, err: &errs})
	require.Zero(t, code, errs.String())
	var report bench.Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Equal(t, 50, report.Turns.Turns)
	require.Nil(t, report.Latency)
	require.Contains(t, errs.String(), "turns a second")
	require.FileExists(t, path)
}

// The report tells how it was made, but no secret and no path.
func TestBenchWritesAReport(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	dir := filepath.Join(t.TempDir(), "report")
	code := run(t.Context(), []string{
		"--nats-user", "someone", "--nats-password", "hunter2", "bench", "turns", "--turns", "50", "--rounds", "1", "--slots", "8", "--report", dir,
	}, streams{out: &out, err: &errs})
	require.Zero(t, code, errs.String())
	require.Contains(t, errs.String(), dir)
	require.Regexp(t, `turns +turns +50`, out.String())
	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), "`feira bench turns --turns=50 --rounds=1 --slots=8 --report DIR`")
	require.NotContains(t, string(text), "hunter2")
	require.NotContains(t, string(text), dir)
}

func TestBenchRefusesAReportWithoutAPlaceBeforeItMeasures(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Equal(t, exitFailed, run(t.Context(), []string{"bench", "turns", "--report", file}, streams{out: &out, err: &errs}))
	require.Contains(t, errs.String(), "report: ")
	require.NotContains(t, errs.String(), "turns\n", "no bench was begun")
	require.Empty(t, out.String())
}

func TestBenchRefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"bench", "turns", "--slots=-1"}, streams{out: &out, err: &errs}))
	require.Contains(t, errs.String(), "slots")
	require.Equal(t, exitUsage, run(t.Context(), []string{"bench", "speed"}, streams{out: &out, err: &errs}))
}

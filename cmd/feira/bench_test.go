package main

import (
	"bytes"
	"encoding/json"
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

func TestBenchRefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"bench", "turns", "--slots=-1"}, streams{out: &out, err: &errs}))
	require.Contains(t, errs.String(), "slots")
	require.Equal(t, exitUsage, run(t.Context(), []string{"bench", "speed"}, streams{out: &out, err: &errs}))
}

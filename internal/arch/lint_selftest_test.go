//go:build selftest

package arch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/arch"
)

// TestLintersFire runs golangci-lint with this repository's configuration over
// a tree of planted faults and sees each of them reported, and nothing else.
// It stands behind `task lint:selftest`, which installs the linter first.
func TestLintersFire(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	archive, err := txtar.ParseFile("testdata/faults.txtar")
	require.NoError(t, err)
	archive.Files = append(archive.Files, txtar.File{
		Name: "internal/usage/usage.go",
		Data: []byte("// Package usage is too long.\npackage usage\n" + strings.Repeat("\n// A line.\n", arch.MaxLines/2-1) + "\n// want revive\n"),
	})
	var want []string
	for _, file := range archive.Files {
		for i, line := range strings.Split(string(file.Data), "\n") {
			if _, linters, ok := strings.Cut(line, "// want "); ok {
				for linter := range strings.FieldsSeq(linters) {
					want = append(want, fmt.Sprintf("%s:%d: %s", file.Name, i+1, linter))
				}
			}
		}
	}
	require.NoError(t, txtar.Write(archive, root))
	got := lint(t, root)
	slices.Sort(want)
	slices.Sort(got)
	require.Empty(t, cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")))
}

func lint(t *testing.T, root string) []string {
	t.Helper()
	here, err := filepath.Abs("../..")
	require.NoError(t, err)
	linter := filepath.Join(here, ".bin", "golangci-lint")
	require.FileExists(t, linter, "run `task lint:selftest`, which installs it")
	report := filepath.Join(t.TempDir(), "report.json")
	// The configuration moves in, so that paths are relative to the planted tree.
	config, err := os.ReadFile(filepath.Join(here, ".golangci.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, ".golangci.yaml"), config, 0o600))
	command := exec.CommandContext(t.Context(), linter, "run", "--allow-parallel-runners",
		"--output.json.path", report, "--output.text.path", os.DevNull, "./...")
	command.Dir = root
	var complaints bytes.Buffer
	command.Stderr = &complaints
	// Faults make it end with 1; whether it ran at all shows in the report.
	_ = command.Run()
	text, err := os.ReadFile(report)
	require.NoError(t, err, complaints.String())
	var result struct {
		Issues []struct {
			FromLinter string
			Text       string
			Pos        struct {
				Filename string
				Line     int
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &result), complaints.String())
	var got []string
	for _, issue := range result.Issues {
		got = append(got, fmt.Sprintf("%s:%d: %s", filepath.ToSlash(issue.Pos.Filename), issue.Pos.Line, issue.FromLinter))
		t.Log(issue.Pos.Filename, issue.Pos.Line, issue.FromLinter, issue.Text)
	}
	return got
}

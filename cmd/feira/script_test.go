package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

// Each script runs commands in this process against a broker of its own, empty
// at first. Beside what testscript has:
//
//	feira ARGS...          runs a command
//	remember NAME REGEXP   sets a variable to the first group found in stdout
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			server := testenv.NATS(t)
			dir := t.TempDir()
			testscript.Run(t, testscript.Params{
				Files: []string{script}, RequireExplicitExec: true, RequireUniqueNames: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"feira": func(ts *testscript.TestScript, failure bool, args []string) {
						for i, arg := range args {
							// In this process, the script's folder is not the current one.
							if _, here := strings.CutPrefix(arg, "./"); here || i > 0 && args[i-1] == "-f" {
								args[i] = ts.MkAbs(arg)
							}
						}
						args = append(args, "--nats-url", server.URL, "--nats-user", server.User, "--nats-password", server.Password, "--data-dir", dir)
						code := run(t.Context(), args, streams{in: strings.NewReader(""), out: ts.Stdout(), err: ts.Stderr()})
						if (code != exitOK) != failure {
							ts.Fatalf("feira ended with code %d", code)
						}
					},
					"remember": func(ts *testscript.TestScript, _ bool, args []string) {
						found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
						if len(found) != 2 {
							ts.Fatalf("%s is not in stdout, or has no group", args[1])
						}
						ts.Setenv(args[0], found[1])
					},
				},
			})
		})
	}
}

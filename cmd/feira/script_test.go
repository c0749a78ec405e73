package main

import (
	"context"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the dialogues of testdata/script, whose "feira" is a command
// of this process.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"feira": func(script *testscript.TestScript, fails bool, args []string) {
				scripted(t.Context(), script, fails, args)
			},
		},
	})
}

func scripted(ctx context.Context, script *testscript.TestScript, fails bool, args []string) {
	for i, arg := range args {
		// The working folder is the script's, not the process's.
		if folder, ok := strings.CutPrefix(arg, "./"); ok {
			args[i] = script.MkAbs(folder)
		}
	}
	args = append(args, "--data-dir", script.MkAbs("data"))
	code := run(ctx, args, streams{in: strings.NewReader(""), out: script.Stdout(), err: script.Stderr()})
	if fails != (code == exitFailed) || !fails && code != exitOK {
		script.Fatalf("feira %v ended with %d", args, code)
	}
}

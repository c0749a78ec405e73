package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/rating"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commandLines are the lines of the README's shell blocks that run feira.
func commandLines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var lines []string
	for _, block := range shellBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "go run ./cmd/")
			if strings.HasPrefix(line, "feira ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// words splits a command line as a shell would, as far as the README needs it.
func words(line string) []string {
	line, _, _ = strings.Cut(line, "   ") // the comment
	line, _, _ = strings.Cut(line, " <")
	var list []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		list = append(list, strings.Fields(part)...)
	}
	return list[1:]
}

// Every feira command of the README is one that this binary knows, with flags
// that it has.
func TestReadmeCommandsParse(t *testing.T) {
	t.Parallel()
	lines := commandLines(t)
	require.Greater(t, len(lines), 15)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/tenants.yaml", nil, 0o600))
	for _, line := range lines {
		var grammar cli
		parser, err := kong.New(&grammar, kong.Vars{"roles": app.RoleHelp()}, kong.Exit(func(int) {}))
		require.NoError(t, err)
		args := words(line)
		for i, arg := range args {
			args[i] = strings.Replace(arg, "tenants.yaml", dir+"/tenants.yaml", 1)
		}
		_, err = parser.Parse(args)
		require.NoError(t, err, line)
	}
}

// The README's tenants file is one that apply takes.
func TestReadmeTenantsAreValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, block)
	tenants, err := app.ParseTenants(block[1])
	require.NoError(t, err)
	require.Len(t, tenants, 1)
}

// The README's rate card is one that bills.
func TestReadmeRateCardIsValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "### How to bill")
	require.True(t, found)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(rest)
	require.NotNil(t, block)
	card, err := rating.Parse([]byte(block[1]))
	require.NoError(t, err)
	require.NotEmpty(t, card.Each())
}

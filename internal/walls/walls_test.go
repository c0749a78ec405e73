package walls

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// raid tries to get through a wall, and returns what it is told.
type raid func(t *testing.T) string

// chapter is a part of the table.
type chapter struct {
	title string
	raids map[string]raid
}

func calls(title string, table map[string]attempt) chapter {
	made := chapter{title: title, raids: map[string]raid{}}
	for name, row := range table {
		made.raids[name] = row.run
	}
	return made
}

// TestWalls makes every attempt of the table, and prints it with the refusals.
func TestWalls(t *testing.T) {
	t.Parallel()
	report := &report{refusals: map[string]map[string]string{}}
	chapters := []chapter{
		calls("the session's servers", sessionWalls()),
		calls("tools", toolWalls()),
		calls("names of tools", nameWalls()),
		calls("tenants, credentials, environments", tenantWalls()),
		calls("hosts and redirects", hostWalls(t)),
		calls("names of what is not public", publicWalls(t)),
		calls("arguments", argumentWalls()),
		calls("raw calls", rawWalls()),
		calls("answers", answerWalls()),
		{title: "the broker", raids: brokerWalls(t)},
		{title: "the vault", raids: vaultWalls(t)},
	}
	t.Cleanup(func() { report.print(t, chapters) })
	for _, part := range chapters {
		for name, try := range part.raids {
			t.Run(part.title+"/"+name, func(t *testing.T) {
				t.Parallel()
				refusal := try(t)
				require.NotEmpty(t, refusal, "nothing refused it")
				report.add(part.title, name, refusal)
			})
		}
	}
}

// report collects the refusals. It is safe for concurrent use.
type report struct {
	mu       sync.Mutex
	refusals map[string]map[string]string // by title and attempt
}

func (r *report) add(title, name, refusal string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusals[title] == nil {
		r.refusals[title] = map[string]string{}
	}
	r.refusals[title][name] = refusal
}

// print writes the table of what was refused.
func (r *report) print(t *testing.T, chapters []chapter) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	total := 0
	for _, part := range chapters {
		_, _ = fmt.Fprintf(table, "\n%s:\t\n", strings.ToUpper(part.title))
		for _, name := range slices.Sorted(maps.Keys(part.raids)) {
			refusal, made := r.refusals[part.title][name]
			if !made { // its own test says why
				continue
			}
			total++
			_, _ = fmt.Fprintf(table, "  %s\t-> %s\n", name, oneLine(refusal))
		}
	}
	require.NoError(t, table.Flush())
	t.Logf("%d attempts refused:\n%s", total, text.String())
}

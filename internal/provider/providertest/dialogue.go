package providertest

import (
	"embed"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/*.txt
var testdata embed.FS

// turn is one call of a dialogue.
type turn struct {
	line             int
	tool, arguments  string
	method, path     string
	query            string
	form, json       string
	hasForm, hasJSON bool
	effects          []string
	saves            [][2]string // name and pointer
	advance          time.Duration
	meanwhile        string // method, path and perhaps a body
	keeps            [][2]string
}

// Step is what somebody has to know of a call of a dialogue to play it elsewhere.
type Step struct {
	Tool string
	// Arguments name what was saved before: see [Filled].
	Arguments string
	// Advance is how far the clock moves before the call.
	Advance time.Duration
	// Meanwhile is what somebody else asks for just before: method, path and
	// perhaps a body. Empty for nothing.
	Meanwhile string
	// Saves and Keeps are names and pointers: parts of the answer, and of what
	// Meanwhile was answered.
	Saves, Keeps [][2]string
}

// Steps are the calls of a server's dialogue, in their order.
func Steps(t *testing.T, server string) []Step {
	t.Helper()
	var steps []Step
	for _, one := range readDialogue(t, server) {
		steps = append(steps, Step{
			Tool: one.tool, Arguments: one.arguments, Advance: one.advance, Meanwhile: one.meanwhile, Saves: one.saves, Keeps: one.keeps,
		})
	}
	return steps
}

// Filled puts what was saved into a text, where it says "${name}".
func Filled(t *testing.T, text string, saved map[string]string) string {
	t.Helper()
	return filled(t, text, saved)
}

// Pick follows a JSON pointer to a text or a number.
func Pick(t *testing.T, document []byte, pointer string) string {
	t.Helper()
	return pick(t, document, pointer)
}

// readDialogue reads the dialogue of a server.
func readDialogue(t *testing.T, server string) []turn {
	t.Helper()
	content, err := testdata.ReadFile("testdata/" + server + ".txt")
	require.NoError(t, err)
	var turns []turn
	var moved time.Duration
	for number, line := range strings.Split(strings.ReplaceAll(string(content), "\n ", " "), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch word {
		case "", "#":
		case "advance":
			moved, err = time.ParseDuration(rest)
			require.NoError(t, err, line)
		case "call":
			tool, arguments, _ := strings.Cut(rest, " ")
			turns = append(turns, turn{line: number + 1, tool: tool, arguments: arguments, advance: moved})
			moved = 0
		default:
			require.NotEmpty(t, turns, line)
			require.True(t, turns[len(turns)-1].take(word, rest), "%s line %d: %s", server, number+1, line)
		}
	}
	return turns
}

// take reads a line of a block; false when it is none.
func (u *turn) take(word, rest string) bool {
	switch word {
	case "sends":
		u.method, u.path, _ = strings.Cut(rest, " ")
	case "query":
		u.query = rest
	case "form":
		u.form, u.hasForm = rest, true
	case "json":
		u.json, u.hasJSON = rest, true
	case "effects":
		u.effects = strings.Fields(rest)
	case "meanwhile":
		u.meanwhile = rest
	case "save":
		name, pointer, _ := strings.Cut(rest, " ")
		u.saves = append(u.saves, [2]string{name, pointer})
	case "keep":
		name, pointer, _ := strings.Cut(rest, " ")
		u.keeps = append(u.keeps, [2]string{name, pointer})
	default:
		return false
	}
	return true
}

var savedPattern = regexp.MustCompile(`\$\{([a-z_]+)\}`)

// filled puts what was saved into a text.
func filled(t *testing.T, text string, saved map[string]string) string {
	t.Helper()
	return savedPattern.ReplaceAllStringFunc(text, func(found string) string {
		value, ok := saved[found[2:len(found)-1]]
		require.True(t, ok, "nothing saved for %s", found)
		return value
	})
}

// pick follows a JSON pointer to a text or a number.
func pick(t *testing.T, document []byte, pointer string) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(document)))
	decoder.UseNumber()
	var at any
	require.NoError(t, decoder.Decode(&at))
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch node := at.(type) {
		case map[string]any:
			at = node[token]
		case []any:
			require.Equal(t, "0", token, pointer)
			require.NotEmpty(t, node, pointer)
			at = node[0]
		}
	}
	switch value := at.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		require.FailNow(t, "nothing to save", "%s in %s", pointer, document)
		return ""
	}
}

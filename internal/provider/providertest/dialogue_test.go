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
	line              int
	tool, arguments   string
	method, path      string
	query, form, json string
	hasForm, hasJSON  bool
	effects           []string
	saves             [][2]string // name and pointer
	advance           time.Duration
}

// readDialogue reads the dialogue of a server.
func readDialogue(t *testing.T, server string) []turn {
	t.Helper()
	content, err := testdata.ReadFile("testdata/" + server + ".txt")
	require.NoError(t, err)
	text := strings.ReplaceAll(string(content), "\n ", " ")
	var turns []turn
	at := &turn{}
	for number, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch word {
		case "", "#":
			continue
		case "call":
			turns = append(turns, turn{line: number + 1, advance: at.advance})
			if at.tool != "" {
				turns[len(turns)-1].advance = 0
			}
			at = &turns[len(turns)-1]
			at.tool, at.arguments, _ = strings.Cut(rest, " ")
		case "advance":
			// It stands before the call that it moves the clock for.
			moved, err := time.ParseDuration(rest)
			require.NoError(t, err, line)
			at = &turn{advance: moved}
		case "sends":
			at.method, at.path, _ = strings.Cut(rest, " ")
		case "query":
			at.query = rest
		case "form":
			at.form, at.hasForm = rest, true
		case "json":
			at.json, at.hasJSON = rest, true
		case "effects":
			at.effects = strings.Fields(rest)
		case "save":
			name, pointer, _ := strings.Cut(rest, " ")
			at.saves = append(at.saves, [2]string{name, pointer})
		default:
			require.FailNow(t, "unknown word", "%s line %d: %s", server, number+1, line)
		}
	}
	return turns
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

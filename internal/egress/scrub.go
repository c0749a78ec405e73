package egress

import (
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/hostile"
	"github.com/feira-dev/feira/internal/telemetry"
)

// minSecret is the shortest value that is looked for: anything shorter is
// found in ordinary text and would protect nothing.
const minSecret = 4

// Scrubber removes the secrets of one call. It is not safe for concurrent use.
type Scrubber struct {
	values []string
}

// Add remembers a secret, and the ways in which it is written in requests.
func (s *Scrubber) Add(secret string) {
	if len(secret) < minSecret {
		return
	}
	for _, form := range telemetry.Shapes(secret) {
		if !slices.Contains(s.values, form) {
			s.values = append(s.values, form)
		}
	}
	// The longest first, so that none leaves a tail of another.
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
}

// Scrub removes the secrets that it knows, and whatever looks like one.
func (s *Scrubber) Scrub(text string) string {
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, hostile.Redacted)
	}
	return hostile.ScrubForms(text)
}

// Document scrubs and cleans every text of a JSON document, names included.
func (s *Scrubber) Document(value any) any {
	switch node := value.(type) {
	case string:
		return s.Scrub(hostile.Clean(node))
	case map[string]any:
		clean := make(map[string]any, len(node))
		for name, child := range node {
			clean[s.Scrub(hostile.Clean(name))] = s.Document(child)
		}
		return clean
	case []any:
		for i, child := range node {
			node[i] = s.Document(child)
		}
		return node
	default:
		return value
	}
}

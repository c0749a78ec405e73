package egress

import (
	"regexp"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/telemetry"
)

const (
	redacted = "[redacted]"
	// minSecret is the shortest value that is looked for: anything shorter is
	// found in ordinary text and would protect nothing.
	minSecret = 4
)

// secretForms are what the providers' secrets look like, wherever they come from.
const secretForms = `(?:sk|rk)_(?:live|test)_[A-Za-z0-9_]+` + // Stripe keys
	`|whsec_[A-Za-z0-9+/=_-]+` + // webhook secrets
	`|csk_(?:live|test)_[A-Za-z0-9_-]+` + // our own API keys
	`|\$aact_[A-Za-z0-9_:.=+/$-]+` + // Asaas keys
	`|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*` + // JWTs
	`|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}` +
	`|(?i:/instances/[^/\s"]+/token/[^/\s"]+)` // Z-API carries its token in the path

var formPattern = regexp.MustCompile(secretForms)

// ScrubForms removes whatever looks like a secret.
func ScrubForms(text string) string { return formPattern.ReplaceAllLiteralString(text, redacted) }

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
		text = strings.ReplaceAll(text, value, redacted)
	}
	return ScrubForms(text)
}

// Document scrubs and cleans every text of a JSON document, names included.
func (s *Scrubber) Document(value any) any {
	switch node := value.(type) {
	case string:
		return s.Scrub(Clean(node))
	case map[string]any:
		clean := make(map[string]any, len(node))
		for name, child := range node {
			clean[s.Scrub(Clean(name))] = s.Document(child)
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

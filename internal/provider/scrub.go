package provider

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

// scrubForms removes whatever looks like a secret.
func scrubForms(text string) string { return formPattern.ReplaceAllLiteralString(text, redacted) }

// scrubber removes the secrets of one call. It is not safe for concurrent use.
type scrubber struct {
	values []string
}

// add remembers a secret, and the ways in which it is written in requests.
func (s *scrubber) add(secret string) {
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

func (s *scrubber) scrub(text string) string {
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, redacted)
	}
	return scrubForms(text)
}

// document scrubs and cleans every text of a JSON document, names included.
func (s *scrubber) document(value any) any {
	switch node := value.(type) {
	case string:
		return s.scrub(cleanText(node))
	case map[string]any:
		clean := make(map[string]any, len(node))
		for name, child := range node {
			clean[s.scrub(cleanText(name))] = s.document(child)
		}
		return clean
	case []any:
		for i, child := range node {
			node[i] = s.document(child)
		}
		return node
	default:
		return value
	}
}

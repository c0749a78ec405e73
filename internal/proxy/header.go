package proxy

import (
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/hostile"
)

const maxHeaderValue = 1024

// passing are the headers that a caller may set. None of them says who calls,
// where the answer goes, or how the connection is used.
func passing() []string {
	return []string{
		"accept", "accept-language", "idempotency-key", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since",
		"prefer", "stripe-version",
	}
}

func checkHeaders(headers map[string]string) error {
	if len(headers) > maxHeaders {
		return wrong("/headers", "there are too many")
	}
	for name, value := range headers {
		at := "/headers/" + hostile.Shown(name)
		if !slices.Contains(passing(), strings.ToLower(name)) {
			return wrong(at, "may not be set; these may: "+strings.Join(passing(), ", "))
		}
		if len(value) > maxHeaderValue || hostile.HasControl(value) || strings.TrimSpace(value) != value {
			return wrong(at, "is no value of a header")
		}
	}
	return nil
}

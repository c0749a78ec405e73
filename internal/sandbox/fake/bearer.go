package fake

import (
	"net/http"
	"strings"
)

// Bearer returns the token of an Authorization header, empty when there is none.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Page reads a list's size and start from a query, with the provider's names
// for them, and returns the slice of items that they pick and whether more follow.
func Page[T any](items []T, limit, offset int) (page []T, more bool) {
	offset = min(max(offset, 0), len(items))
	end := min(offset+max(limit, 0), len(items))
	return items[offset:end], end < len(items)
}

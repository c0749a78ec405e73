package stripe

import (
	"maps"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Sizes of a list's page.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// listed answers with one page of things, newest first.
func listed[T any](c *call, f form, things []T, id func(T) string) fake.Answer {
	limit, refusal := f.integer("limit", defaultLimit)
	if refusal != nil {
		return *refusal
	}
	if limit < 1 || limit > maxLimit {
		return *invalid(fault{Param: "limit", Code: codeInteger, Message: "limit must be between 1 and 100."})
	}
	at := func(wanted string) int {
		return slices.IndexFunc(things, func(thing T) bool { return id(thing) == wanted })
	}
	if i := at(f.text("starting_after")); i >= 0 {
		things = things[i+1:]
	}
	offset := 0
	if i := at(f.text("ending_before")); i >= 0 { // The page is the one just before it.
		things = things[:i]
		offset = max(i-int(limit), 0)
	}
	page, more := fake.Page(things, int(limit), offset)
	more = more || offset > 0
	return fake.OK(fake.Map{
		"object": "list", "url": c.Request.URL.Path, "has_more": more, "data": page,
	})
}

// reference is the caller's own id of an object, by the names that are usual.
func reference(metadata map[string]string) string {
	for _, name := range []string{"reference", "external_reference", "order_id", "order"} {
		if value := metadata[name]; value != "" {
			return value
		}
	}
	return ""
}

// agree reports whether a filter, empty for any, picks a value.
func agree(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }

// sorted returns a balance's currencies in order.
func sorted(balance map[string]int64) []string { return slices.Sorted(maps.Keys(balance)) }

package asaas

import (
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Sizes of a list's page.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// listed answers with one page of things.
func listed[T any](c *call, things []T) fake.Answer {
	limit, err := strconv.Atoi(c.Query().Get("limit"))
	if err != nil || limit < 1 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	offset, _ := strconv.Atoi(c.Query().Get("offset"))
	page, more := fake.Page(things, limit, offset)
	return fake.OK(fake.Map{
		"object": "list", "hasMore": more, "totalCount": len(things), "limit": limit, "offset": offset, "data": page,
	})
}

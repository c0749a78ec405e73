package ledger

import (
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is what an engine does its own way. Statements are written once,
// with "?" for parameters, in the SQL that SQLite and Postgres share.
type dialect struct {
	goose      goose.Dialect
	migrations fs.FS
	// bind rewrites the placeholders of a statement.
	bind func(statement string) string
	// parameters is how many one statement may have.
	parameters int
}

// chunk is how many rows of so many columns one statement may carry.
func (d dialect) chunk(columns int) int { return max(d.parameters/columns, 1) }

// insert is the head, so many groups of placeholders, and the tail of a
// statement that writes rows.
func (d dialect) insert(head string, columns, rows int, tail string) string {
	group := "(" + strings.Repeat("?, ", columns-1) + "?)"
	var text strings.Builder
	text.Grow(len(head) + len(tail) + rows*(len(group)+2))
	text.WriteString(head)
	for i := range rows {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(group)
	}
	text.WriteString(tail)
	return d.bind(text.String())
}

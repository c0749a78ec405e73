package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// show prints data as JSON when that was asked for, and as people read it
// otherwise.
func (i *invocation) show(data any, human func(w io.Writer)) error {
	if i.json {
		return writeJSON(i.out, data)
	}
	table := tabwriter.NewWriter(i.out, 0, 0, 2, ' ', 0)
	human(table)
	return table.Flush()
}

func writeJSON(w io.Writer, data any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(data)
}

// say writes a line; what a closed terminal does not take is nobody's loss.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// column is one column of a table: its title and what stands below it.
type column[T any] struct {
	title string
	text  func(T) string
}

// writeTable writes rows under their titles, for a tabwriter to align.
func writeTable[T any](w io.Writer, columns []column[T], rows []T) {
	cells := make([]string, len(columns))
	for n, c := range columns {
		cells[n] = c.title
	}
	say(w, "%s", strings.Join(cells, "\t"))
	for _, row := range rows {
		for n, c := range columns {
			cells[n] = c.text(row)
		}
		say(w, "%s", strings.Join(cells, "\t"))
	}
}

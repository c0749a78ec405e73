package main

import (
	"encoding/json"
	"fmt"
	"io"
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

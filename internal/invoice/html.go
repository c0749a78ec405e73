package invoice

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"time"
)

//go:embed invoice.html.tmpl
var page string

// HTML is the document as people read and print it: one page without scripts,
// fonts or images from elsewhere.
func (i Invoice) HTML() ([]byte, error) {
	parsed, err := template.New("invoice").Funcs(template.FuncMap{
		"date": func(at time.Time) string { return at.Format(time.DateOnly) },
	}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("writing invoice %s: %w", i.ID, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, i); err != nil {
		return nil, fmt.Errorf("writing invoice %s: %w", i.ID, err)
	}
	return out.Bytes(), nil
}

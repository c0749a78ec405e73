package stripe

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// form holds the parameters of a request by their bracketed names.
type form struct{ values url.Values }

// read takes the parameters of a call, of which the route knows the top names.
func read(c *call, known ...string) (form, *fake.Answer) {
	values := c.Query()
	if c.Request.Method == "POST" && len(c.Body) > 0 {
		kind, _, _ := strings.Cut(c.Header("Content-Type"), ";")
		body, err := url.ParseQuery(string(c.Body))
		if err != nil || strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
			return form{}, invalid(fault{
				Message: "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any questions, we can help at https://support.stripe.com/.",
			})
		}
		values = body
	}
	names := map[string]bool{"expand": true}
	for _, name := range known {
		names[name] = true
	}
	for name := range values {
		top, _, _ := strings.Cut(name, "[")
		if !names[top] {
			return form{}, invalid(fault{Code: codeUnknown, Param: name, Message: "Received unknown parameter: " + name})
		}
	}
	return form{values: values}, nil
}

// text returns a parameter.
func (f form) text(name string) string { return f.values.Get(name) }

// texts returns a list, "k[]=v" or "k[0]=v".
func (f form) texts(name string) []string {
	list := f.values[name+"[]"]
	for i := 0; f.values.Has(name + "[" + strconv.Itoa(i) + "]"); i++ {
		list = append(list, f.values.Get(name+"["+strconv.Itoa(i)+"]"))
	}
	return list
}

// pairs returns an object of texts, "k[a]=v".
func (f form) pairs(name string) map[string]string {
	pairs := map[string]string{}
	for key := range f.values {
		if inner, ok := strings.CutPrefix(key, name+"["); ok && strings.HasSuffix(inner, "]") {
			pairs[strings.TrimSuffix(inner, "]")] = f.values.Get(key)
		}
	}
	return pairs
}

// integer returns a whole number; fallback when there is none.
func (f form) integer(name string, fallback int64) (int64, *fake.Answer) {
	text := f.text(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid(fault{Code: codeInteger, Param: name, Message: "Invalid integer: " + text})
	}
	return n, nil
}

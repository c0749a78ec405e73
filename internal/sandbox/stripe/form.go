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
	if c.Request.Method != "GET" && len(c.Body) > 0 {
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

// under returns the parameters below a name, "k[a]=v" as "a=v".
func (f form) under(name string) form {
	below := url.Values{}
	for key, values := range f.values {
		inner, ok := strings.CutPrefix(key, name+"[")
		if !ok {
			continue
		}
		head, rest, closed := strings.Cut(inner, "]")
		if closed {
			below[head+rest] = values
		}
	}
	return form{values: below}
}

// list returns a list of objects, "k[0][a]=v", each as "a=v".
func (f form) list(name string) []form {
	below := f.under(name)
	var objects []form
	for i := 0; ; i++ {
		one := below.under(strconv.Itoa(i))
		if len(one.values) == 0 {
			return objects
		}
		objects = append(objects, one)
	}
}

// coupons returns those of a list of discounts.
func (f form) coupons() []string {
	ids := []string{}
	for _, one := range f.list("discounts") {
		ids = append(ids, one.text("coupon"))
	}
	return ids
}

// within reports whether a time keeps the bounds of the parameter created,
// "created[gte]=1"; a bound that is no number bounds nothing.
func (f form) within(number int64) bool {
	bounds := f.under("created")
	for word, holds := range map[string]func(bound int64) bool{
		"gt": func(b int64) bool { return number > b }, "gte": func(b int64) bool { return number >= b },
		"lt": func(b int64) bool { return number < b }, "lte": func(b int64) bool { return number <= b },
	} {
		bound, err := strconv.ParseInt(bounds.text(word), 10, 64)
		if err == nil && !holds(bound) {
			return false
		}
	}
	return true
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

package provider

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// listStyle is how a list is written in a query or form.
type listStyle int

const (
	listRepeated listStyle = iota // k=1&k=2
	listBrackets                  // k[]=1&k[]=2, of objects k[0][c]=1
)

// encodeValues writes a document as key-value pairs. Objects are written in
// brackets; they and lists of objects are what Stripe's form has.
func encodeValues(document map[string]any, style listStyle) (url.Values, error) {
	values := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(document)) {
		if err := encodeValue(values, key, document[key], style); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func encodeValue(into url.Values, key string, value any, style listStyle) error {
	switch node := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(node)) {
			if err := encodeValue(into, key+"["+name+"]", node[name], style); err != nil {
				return err
			}
		}
		return nil
	case []any:
		return encodeList(into, key, node, style)
	default:
		text, ok := scalar(value)
		if !ok {
			return fmt.Errorf("%s cannot be written as a parameter", key)
		}
		into.Add(key, text)
		return nil
	}
}

func encodeList(into url.Values, key string, list []any, style listStyle) error {
	for i, element := range list {
		name := key
		_, isScalar := scalar(element)
		switch {
		case style == listBrackets && isScalar:
			name = key + "[]"
		case !isScalar:
			name = key + "[" + strconv.Itoa(i) + "]"
		}
		if err := encodeValue(into, name, element, style); err != nil {
			return err
		}
	}
	return nil
}

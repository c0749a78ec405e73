package mock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/events"
)

// root is where mocks stand in the body that they came in.
const root = "/mocks"

// What is wrong with the shape of mocks.
const (
	noObject    = "mocks is no JSON object"
	badKey      = "the key is neither of the form server/tool nor the name of a meta-tool"
	badValue    = "the value is neither a JSON object nor a list of JSON objects"
	emptyList   = "the list is empty"
	badListItem = "the entry of the list is no JSON object"
)

var (
	toolKey = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9_-]*$`)
	metaKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Parse reads the JSON of mocks. The error is a *[Error]; of several faults it
// tells the first. A key that stands there twice counts as it does in
// JavaScript: where it was first, with what it has last.
func Parse(raw []byte) (*Set, error) {
	// Bytes that are no UTF-8 would be replaced on their way through the log, and
	// an answer would not be the one declared.
	raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return nil, invalid(root, noObject)
	}
	if compact.Len() > events.MaxMocksBytes {
		return nil, &Error{
			Code:    events.ReasonMocksTooLarge,
			Message: fmt.Sprintf("mocks has %d bytes of JSON, at most %d are allowed", compact.Len(), events.MaxMocksBytes),
		}
	}
	keys, values, ok := members(compact.Bytes())
	if !ok {
		return nil, invalid(root, noObject)
	}
	set := &Set{raw: compact.Bytes(), entries: make(map[string]entry, len(keys))}
	for _, key := range keys {
		read, err := parseEntry(key, values[key])
		if err != nil {
			return nil, err
		}
		set.entries[key] = read
	}
	return set, nil
}

// members are the keys of an object in their order, and their values.
func members(object []byte) (keys []string, values map[string]json.RawMessage, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, nil, false
	}
	values = make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		key, isText := token.(string)
		if err != nil || !isText {
			return nil, nil, false
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, false
		}
		if _, again := values[key]; !again {
			keys = append(keys, key)
		}
		values[key] = value
	}
	return keys, values, true
}

func parseEntry(key string, value json.RawMessage) (entry, error) {
	if !toolKey.MatchString(key) && (!metaKey.MatchString(key) || strings.Contains(key, "__")) {
		return entry{}, invalid(pointer(key), badKey)
	}
	if isObject(value) {
		return entry{answers: []json.RawMessage{value}}, nil
	}
	var list []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &list) != nil {
		return entry{}, invalid(pointer(key), badValue)
	}
	if len(list) == 0 {
		return entry{}, invalid(pointer(key), emptyList)
	}
	if at := slices.IndexFunc(list, func(item json.RawMessage) bool { return !isObject(item) }); at >= 0 {
		return entry{}, invalid(pointer(key, strconv.Itoa(at)), badListItem)
	}
	return entry{list: true, answers: list}, nil
}

// isObject looks at compact JSON.
func isObject(value json.RawMessage) bool { return value[0] == '{' }

// pointer is the JSON Pointer of a place within mocks.
func pointer(tokens ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var path strings.Builder
	path.WriteString(root)
	for _, token := range tokens {
		path.WriteString("/" + escape.Replace(token))
	}
	return path.String()
}

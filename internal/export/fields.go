package export

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// Fields are what a dimension may be of, beside metadata.KEY.
func Fields() []string { return slices.Sorted(maps.Keys(fields())) }

func fields() map[string]func(usage.Item) string {
	return map[string]func(usage.Item) string{
		"meter":       func(i usage.Item) string { return string(i.Row.Meter) },
		"unit":        func(i usage.Item) string { return i.Unit },
		"server":      func(i usage.Item) string { return i.Row.Server },
		"tool":        func(i usage.Item) string { return i.Row.Tool },
		"model":       func(i usage.Item) string { return i.Row.Model },
		"outcome":     func(i usage.Item) string { return i.Row.Outcome },
		"environment": func(i usage.Item) string { return string(i.Row.Environment) },
		"session":     func(i usage.Item) string { return string(i.Row.Session) },
		"request":     func(i usage.Item) string { return string(i.Row.Request) },
		"billable":    func(i usage.Item) string { return strconv.FormatBool(i.Row.Billable) },
		"corrects":    corrects,
	}
}

// corrects names the row that a correction is of.
func corrects(item usage.Item) string {
	if item.Correction == (usage.ID{}) {
		return ""
	}
	return item.Row.Source + "#" + item.Row.Event
}

func fieldOf(name string) (func(usage.Item) string, bool) {
	if key, ok := strings.CutPrefix(name, "metadata."); ok {
		return func(item usage.Item) string { return item.Row.Metadata[key] }, key != ""
	}
	field, ok := fields()[name]
	return field, ok
}

// properties are the dimensions of an item that are not empty.
func (s Settings) properties(item usage.Item) map[string]any {
	found := make(map[string]any, len(s.Dimensions)+1)
	for property, name := range s.Dimensions {
		if field, ok := fieldOf(name); ok {
			if text := field(item); text != "" {
				found[property] = text
			}
		}
	}
	return found
}

// moment is a time as most of the world writes it, to the millisecond.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

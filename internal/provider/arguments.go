package provider

import (
	"encoding/json"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/argument"
)

// arguments checks what the model or a caller gave, and fills in what they
// left out.
func (t *tool) arguments(raw json.RawMessage) (map[string]any, *events.ToolFault) {
	args, fault := argument.Check(t.schema, raw)
	if fault != nil {
		return nil, fault
	}
	for name, value := range t.defaults {
		if _, given := args[name]; !given {
			args[name] = value
		}
	}
	return args, nil
}

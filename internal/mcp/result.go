package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

const maxSaid = 500 // bytes of a server's words in a fault

// outputOf is a result as text for the model: clean, scrubbed and capped.
// Scrubbing goes before cutting, or half a secret would stay.
func (c *Client) outputOf(to target, result *sdk.CallToolResult) string {
	scrubber := to.scrubber()
	text := scrubber.Scrub(hostile.Clean(textOf(scrubber, result)))
	orDefault(&text, "[no content]")
	if limit := c.config.MaxOutput; len(text) > limit {
		note := "\n[cut: the whole answer has " + strconv.Itoa(len(text)) + " bytes]"
		text = hostile.Clip(text, max(limit-len(note), 0)) + note
	}
	return text
}

// textOf joins what a result holds. What the server gives as text and as a
// structure is told once: as the text, whose numbers are whole.
func textOf(scrubber *egress.Scrubber, result *sdk.CallToolResult) string {
	parts := make([]string, 0, len(result.Content)+1)
	told := result.StructuredContent == nil
	for _, content := range result.Content {
		text := contentOf(content)
		told = told || sameJSON(text, result.StructuredContent)
		parts = append(parts, text)
	}
	if !told {
		if text, err := encode(scrubber.Document(result.StructuredContent)); err == nil {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}

func sameJSON(text string, structure any) bool {
	var parsed any
	return json.Unmarshal([]byte(text), &parsed) == nil && reflect.DeepEqual(parsed, structure)
}

// promised holds a result against what the server has said of it: where there is
// a schema, the structure is part of the answer.
func (t *tool) promised(result *sdk.CallToolResult) bool {
	if t.returns == nil {
		return true
	}
	text, err := json.Marshal(result.StructuredContent)
	if result.StructuredContent == nil || err != nil {
		return false
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	return err == nil && t.returns.Validate(document) == nil
}

func encode(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// contentOf is a text, or what stands for something else.
func contentOf(content sdk.Content) string {
	switch content := content.(type) {
	case *sdk.TextContent:
		return content.Text
	case *sdk.ImageContent:
		return fmt.Sprintf("[image %s, %d bytes]", content.MIMEType, len(content.Data))
	case *sdk.AudioContent:
		return fmt.Sprintf("[audio %s, %d bytes]", content.MIMEType, len(content.Data))
	case *sdk.ResourceLink:
		return fmt.Sprintf("[link to %s: %s]", content.Name, content.URI)
	case *sdk.EmbeddedResource:
		if content.Resource == nil {
			return "[resource]"
		}
		if content.Resource.Text != "" {
			return fmt.Sprintf("[resource %s]\n%s", content.Resource.URI, content.Resource.Text)
		}
		return fmt.Sprintf("[resource %s %s, %d bytes]", content.Resource.URI, content.Resource.MIMEType, len(content.Resource.Blob))
	default:
		return fmt.Sprintf("[content of the kind %T]", content)
	}
}

// said is what a server says of an error, on one line and capped.
func said(scrubber *egress.Scrubber, text string) string {
	return hostile.Clip(strings.ReplaceAll(scrubber.Scrub(hostile.Clean(text)), "\n", " "), maxSaid)
}

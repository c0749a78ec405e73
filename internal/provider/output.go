package provider

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/hostile"
)

const maxProviderMessage = 500 // bytes of a provider's words in a fault

// output is an answer as text for the model: compact JSON, clean, scrubbed and
// capped. Scrubbing goes before cutting, or half a secret would stay.
func (a *account) output(got answer) (string, *events.ToolFault) {
	name := a.server.manifest.Name
	if got.tooLarge {
		return "", &events.ToolFault{
			Code:    events.FaultResultTooLarge,
			Message: name + " answered " + strconv.Itoa(got.status) + " with more than " + strconv.FormatInt(a.client.config.MaxResponse, 10) + " bytes",
		}
	}
	if len(bytes.TrimSpace(got.body)) == 0 {
		return `{"http_status":` + strconv.Itoa(got.status) + `}`, nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body))
	if err != nil {
		return "", &events.ToolFault{Code: events.FaultProviderError, Message: name + " answered " + strconv.Itoa(got.status) + " with something that is not JSON"}
	}
	return a.outputOf(document)
}

func (a *account) outputOf(document any) (string, *events.ToolFault) {
	text, err := encodeJSON(a.scrubber.Document(document))
	if err != nil {
		return "", &events.ToolFault{Code: events.FaultProviderError, Message: a.server.manifest.Name + "'s answer cannot be written down"}
	}
	// A number is the one text in JSON that the scrubber has not seen, and a
	// secret may lie across two texts.
	output := a.scrubber.Scrub(string(text))
	if limit := a.client.config.MaxOutput; len(output) > limit {
		note := "\n[cut: the whole answer has " + strconv.Itoa(len(output)) + " bytes]"
		output = hostile.Clip(output, max(limit-len(note), 0)) + note
	}
	return output, nil
}

// fail words an answer that is an error. The provider's own words come last,
// capped: they are not ours, and not to be trusted.
func (a *account) fail(code string, got answer, what string) agent.Result {
	message := a.server.manifest.Name + " answered " + strconv.Itoa(got.status)
	if what != "" {
		message = a.server.manifest.Name + " " + what + " (" + strconv.Itoa(got.status) + ")"
	}
	if said := a.said(got.body); said != "" {
		message += ": " + said
	}
	return failure(code, message)
}

// said is what a provider says of an error.
func (a *account) said(body []byte) string {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return ""
	}
	document = a.scrubber.Document(document)
	spec := a.server.manifest.Errors
	parts := make([]string, 0, 2)
	for _, pointers := range [][]string{spec.Code, spec.Message} {
		if text := firstText(document, pointers); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		text, err := encodeJSON(document)
		if err != nil {
			return ""
		}
		parts = append(parts, string(text))
	}
	said := strings.ReplaceAll(a.scrubber.Scrub(strings.Join(parts, ": ")), "\n", " ")
	return hostile.Clip(said, maxProviderMessage)
}

func firstText(document any, pointers []string) string {
	for _, pointer := range pointers {
		found, ok := at(document, pointer)
		if text, isText := found.(string); ok && isText && text != "" {
			return text
		}
	}
	return ""
}

package commerce

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const notifyAbout = "Send one message to a person, over WhatsApp. Give message, or a template with {{name}} in it and the variables that take their place. " +
	"It reaches a real person and cannot be called back."

const notifySchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["channel", "to"],
  "properties": {
    "channel": {"enum": ["whatsapp"]},
    "to": {"type": "string", "pattern": "^\\+?[0-9 ()-]{10,25}$", "description": "Telephone with country code, as 5511987654321"},
    "message": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "The text; this or template"},
    "template": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "Text with {{name}} where a variable goes"},
    "variables": {"type": "object", "maxProperties": 50, "additionalProperties": {"type": ["string", "number", "boolean"]}}
  }
}`

// maxMessage is the longest text of one message, in characters.
const maxMessage = 4096

type notifying struct {
	Channel   string         `json:"channel"`
	To        string         `json:"to"`
	Message   string         `json:"message"`
	Template  string         `json:"template"`
	Variables map[string]any `json:"variables"`
}

// notified is what codespar_notify answers.
type notified struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Channel string `json:"channel"`
	To      string `json:"to"`
	Raw     any    `json:"raw,omitempty"`
}

var phonePattern = regexp.MustCompile(`^[0-9]{10,15}$`)

func (m *Market) notify(ctx context.Context, r *run) (string, error) {
	var in notifying
	if err := read(r.call.Arguments, &in); err != nil {
		return "", err
	}
	text, err := in.text()
	if err != nil {
		return "", err
	}
	phone := digits(in.To)
	if !phonePattern.MatchString(phone) {
		return "", misfit("/to", "has to be 10 to 15 digits with the country code")
	}
	if _, err := r.pick(ctx, order{deed: deedNotify}); err != nil {
		return "", err
	}
	made, err := r.sendAtZAPI(ctx, phone, text)
	if err != nil {
		return "", err
	}
	made.Channel = in.Channel
	bare := made
	bare.Raw = nil
	return r.reported(made, bare)
}

var placePattern = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.-]{1,64})\s*\}\}`)

// text is the message with its variables in place. What a variable holds is
// text and nothing else: braces within it are not looked at again.
func (in notifying) text() (string, error) {
	form := in.Message
	switch {
	case in.Message != "" && in.Template != "":
		return "", misfit("/template", "is given beside /message: give one of them")
	case in.Message == "" && in.Template == "":
		return "", misfit("/message", "is missing: give it or /template")
	case in.Template != "":
		form = in.Template
	case len(in.Variables) == 0:
		return form, nil // a message may speak of braces
	}
	missing := map[string]bool{}
	text := placePattern.ReplaceAllStringFunc(form, func(place string) string {
		name := placePattern.FindStringSubmatch(place)[1]
		value, given := in.Variables[name]
		missing[name] = !given
		return written(value)
	})
	maps.DeleteFunc(missing, func(_ string, lacks bool) bool { return !lacks })
	if len(missing) > 0 {
		return "", misfit("/variables", "is missing %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	if strings.TrimSpace(text) == "" || len([]rune(text)) > maxMessage {
		return "", misfit("/template", "makes a message that is empty or longer than %d characters", maxMessage)
	}
	return text, nil
}

func written(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	default:
		return ""
	}
}

// sendAtZAPI asks whether the number has WhatsApp and sends the text. A text
// that may have been sent is never sent again: nothing there tells of it.
func (r *run) sendAtZAPI(ctx context.Context, phone, text string) (notified, error) {
	send := step{
		name: "send_text", server: serverZAPI, tool: "send_text", arguments: object{"phone": phone, "message": text},
		did: func(made object) string { return "message " + made.text("messageId") + " was sent" },
	}
	answer, recalled, err := r.recall(ctx, send)
	if err == nil && !recalled {
		if err = r.reachable(ctx, phone); err != nil {
			return notified{}, err
		}
		answer, err = r.do(ctx, send)
	}
	if err != nil {
		return notified{}, err
	}
	return notified{ID: answer.text("messageId", "id"), Status: "sent", To: phone, Raw: answer}, nil
}

func (r *run) reachable(ctx context.Context, phone string) error {
	check := step{name: "check_number", server: serverZAPI, tool: "check_number", arguments: object{"phone": phone}}
	answer, err := r.do(ctx, check)
	if err != nil {
		return err
	}
	if exists, said := answer["exists"].(bool); said && !exists {
		return r.failed(check, "the number in /to has no WhatsApp; nothing was sent")
	}
	return nil
}

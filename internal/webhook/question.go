package webhook

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Question is what is asked of a provider about an event that it did not sign:
// a tool of the server's that only reads, with arguments.
type Question struct {
	Server    string
	Tool      string
	Arguments json.RawMessage

	holds func(document) bool
}

// Confirms reports whether an answer says what the event said. An answer that
// cannot be read says nothing.
func (q Question) Confirms(answer string) bool {
	decoder := json.NewDecoder(strings.NewReader(answer))
	decoder.UseNumber()
	var read any
	return decoder.Decode(&read) == nil && q.holds(document{read})
}

// QuestionOf is how to confirm an event; false where the server tells nothing by
// which it could be.
func QuestionOf(server string, body []byte) (Question, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var fields map[string]any
	if server != "z-api" || decoder.Decode(&fields) != nil {
		return Question{}, false
	}
	event := document{fields}
	switch event.text("type") {
	case "ReceivedCallback":
		return aboutMessages(event, []string{event.text("messageId")}, sameWords)
	case "DeliveryCallback":
		return aboutMessages(event, []string{event.text("messageId")}, sameDelivery)
	case "MessageStatusCallback":
		listed, _ := event.at("ids").value.([]any)
		var ids []string
		for _, id := range listed[:min(len(listed), maxRelated)] {
			ids = append(ids, document{id}.text())
		}
		return aboutMessages(event, ids, asFar)
	case "ConnectedCallback", "DisconnectedCallback":
		connected := event.text("type") == "ConnectedCallback"
		return Question{Server: server, Tool: "get_status", Arguments: json.RawMessage(`{}`), holds: func(answer document) bool {
			return answer.at("connected").value == connected
		}}, true
	default:
		return Question{}, false
	}
}

// lookBack is how many messages of a chat are looked through for those of an event.
const lookBack = 50

// aboutMessages asks for the chat that an event's messages are in: each of them
// has to be there, and to agree with the event.
func aboutMessages(event document, ids []string, agrees func(event, message document) bool) (Question, bool) {
	if len(ids) == 0 || slices.Contains(ids, "") || event.text("phone") == "" {
		return Question{}, false
	}
	arguments, err := json.Marshal(map[string]any{"phone": event.text("phone"), "amount": lookBack})
	if err != nil {
		return Question{}, false
	}
	return Question{Server: "z-api", Tool: "get_messages", Arguments: arguments, holds: func(answer document) bool {
		messages, _ := answer.value.([]any)
		return !slices.ContainsFunc(ids, func(id string) bool {
			return !slices.ContainsFunc(messages, func(one any) bool {
				message := document{one}
				return message.text("messageId") == id && agrees(event, message)
			})
		})
	}}, true
}

// sameWords reports whether a message of somebody else's says what the event
// says that it does.
func sameWords(event, message document) bool {
	ours, _ := event.at("fromMe").value.(bool)
	listed, known := message.at("fromMe").value.(bool)
	return known && listed == ours && wordsOf(event) == wordsOf(message)
}

// wordsOf is the text of a message, which its list has in one of two places;
// empty for one of another kind.
func wordsOf(message document) string {
	if text := message.text("text", "message"); text != "" {
		return text
	}
	return message.text("content", "message")
}

// sameDelivery reports whether a message of ours was sent, or not.
func sameDelivery(event, message document) bool {
	failed := event.text("error") != ""
	return message.at("fromMe").value == true && (!failed || reach(message.text("status")) <= 0)
}

// asFar reports whether a message of ours has come as far as the event says.
func asFar(event, message document) bool {
	return message.at("fromMe").value == true && reach(event.text("status")) <= reach(message.text("status"))
}

// reach is how far a message has come on its way to whom it is for.
func reach(status string) int {
	return slices.Index([]string{"SENT", "RECEIVED", "READ", "PLAYED"}, status)
}

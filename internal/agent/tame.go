package agent

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tame brings a model's reply within the bounds of an event, for it is text
// from outside like any other. What cannot be brought within them is garbage.
func tame(reply *Reply) error {
	if len(reply.ToolCalls) > MaxReplyCalls {
		return fmt.Errorf("%w: it asks for %d tool calls at once, at most %d are allowed", ErrModelGarbage, len(reply.ToolCalls), MaxReplyCalls)
	}
	reply.Text = strings.Map(printable, strings.ToValidUTF8(reply.Text, "\uFFFD"))
	if len(reply.Text) > MaxReplyText {
		reply.Text = strings.ToValidUTF8(reply.Text[:MaxReplyText], "") + " […]"
	}
	size := len(reply.Text)
	seen := make(map[string]bool, len(reply.ToolCalls))
	for i := range reply.ToolCalls {
		call := &reply.ToolCalls[i]
		if len(call.Arguments) > MaxArguments || !utf8.ValidString(call.Arguments) {
			return fmt.Errorf("%w: the arguments of tool call %d are over %d bytes or no text", ErrModelGarbage, i, MaxArguments)
		}
		if call.ID == "" || len(call.ID) > 128 || seen[call.ID] {
			call.ID = "call_" + strconv.Itoa(i)
		}
		seen[call.ID] = true
		size += len(call.Arguments)
	}
	if size > MaxReplyBytes {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrModelGarbage, size, MaxReplyBytes)
	}
	return nil
}

// printable drops control characters, which cost six bytes each in JSON and
// can rewrite a terminal.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}

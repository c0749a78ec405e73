package events

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ToolCallID is the name that callers know a tool call by. It follows from the
// call's place, because the model's own ids are unique within a reply only, and
// tells the place again, so that no index of calls is needed.
type ToolCallID string

// ToolCallPlace is where a tool call stands in its tenant's log.
type ToolCallPlace struct {
	Session SessionID
	Request RequestID
	// Iteration is that of the model's reply; 0 for a call request.
	Iteration int
	// Index is the call's place in the reply, from 0.
	Index int
}

const toolCallPrefix = "tc_"

// ID names the call.
func (p ToolCallPlace) ID() ToolCallID {
	text := strings.Join([]string{string(p.Session), string(p.Request), strconv.Itoa(p.Iteration), strconv.Itoa(p.Index)}, "/")
	return ToolCallID(toolCallPrefix + base64.RawURLEncoding.EncodeToString([]byte(text)))
}

// ParseToolCallID returns the place that text names, or [ErrInvalidID].
func ParseToolCallID(text string) (ToolCallPlace, error) {
	encoded, ok := strings.CutPrefix(text, toolCallPrefix)
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	parts := strings.Split(string(decoded), "/")
	if !ok || err != nil || len(parts) != 4 {
		return ToolCallPlace{}, fmt.Errorf("%w: tool call: want tc_ and its place", ErrInvalidID)
	}
	session, badSession := ParseSessionID(parts[0])
	request, badRequest := ParseRequestID(parts[1])
	iteration, badIteration := strconv.ParseUint(parts[2], 10, 16)
	index, badIndex := strconv.ParseUint(parts[3], 10, 16)
	if errors.Join(badSession, badRequest, badIteration, badIndex) != nil {
		return ToolCallPlace{}, fmt.Errorf("%w: tool call: want tc_ and its place", ErrInvalidID)
	}
	return ToolCallPlace{Session: session, Request: request, Iteration: int(iteration), Index: int(index)}, nil
}

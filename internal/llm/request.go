package llm

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/sashabaranov/go-openai"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// nothing stands for a text without content: go-openai leaves an empty one
// out, and operators refuse a message that has none.
const nothing = "(empty)"

// request lays a prompt out. A prompt that no operator would take is refused
// here already.
func (c *Client) request(prompt agent.Prompt) (openai.ChatCompletionRequest, error) {
	request := openai.ChatCompletionRequest{
		Model:    c.config.Model,
		Messages: make([]openai.ChatCompletionMessage, 0, len(prompt.Messages)),
	}
	// Not max_tokens, which models that reason refuse.
	most := prompt.MaxOutputTokens
	if most <= 0 {
		most = c.config.MaxOutputTokens
	}
	request.MaxCompletionTokens = int(min(most, math.MaxInt32))
	for i, message := range prompt.Messages {
		role, err := roleOf(message.Role)
		if err != nil {
			return openai.ChatCompletionRequest{}, refusal(fmt.Sprintf("messages[%d]: %v", i, err))
		}
		request.Messages = append(request.Messages, layMessage(role, message))
	}
	for i, tool := range prompt.Tools {
		if !validToolName(tool.Name) {
			return openai.ChatCompletionRequest{}, refusal(fmt.Sprintf("tools[%d] has no name that models may call", i))
		}
		parameters := tool.Parameters
		if len(parameters) == 0 {
			parameters = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		request.Tools = append(request.Tools, openai.Tool{
			Type:     openai.ToolTypeFunction,
			Function: &openai.FunctionDefinition{Name: tool.Name, Description: tool.Description, Parameters: parameters},
		})
	}
	return request, nil
}

func roleOf(role agent.Role) (string, error) {
	switch role {
	case agent.RoleSystem:
		return openai.ChatMessageRoleSystem, nil
	case agent.RoleUser:
		return openai.ChatMessageRoleUser, nil
	case agent.RoleAssistant:
		return openai.ChatMessageRoleAssistant, nil
	case agent.RoleTool:
		return openai.ChatMessageRoleTool, nil
	default:
		return "", fmt.Errorf("role is %q", role)
	}
}

func layMessage(role string, message agent.Message) openai.ChatCompletionMessage {
	laid := openai.ChatCompletionMessage{Role: role, Content: message.Text, ToolCallID: message.CallID}
	for _, call := range message.ToolCalls {
		laid.ToolCalls = append(laid.ToolCalls, layCall(call))
	}
	if laid.Content == "" && len(laid.ToolCalls) == 0 {
		laid.Content = nothing
	}
	return laid
}

// layCall repeats a call of the model's to it. Arguments that were no JSON
// would be refused by some operators for as long as the session lives; what
// was wrong with them is in the tool's answer.
func layCall(call events.ToolCall) openai.ToolCall {
	arguments := call.Arguments
	if !json.Valid([]byte(arguments)) {
		arguments = "{}"
	}
	return openai.ToolCall{
		ID: call.ID, Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: call.Name, Arguments: arguments},
	}
}

// validToolName holds a name to ^[a-zA-Z0-9_-]{1,64}$.
func validToolName(name string) bool {
	const most = 64
	if name == "" || len(name) > most {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

package webhook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/webhook"
)

func TestWhatIsAskedOfWhatsApp(t *testing.T) {
	t.Parallel()
	const chat = `[{"messageId":"A","fromMe":true,"status":"RECEIVED","content":{"message":"hi"}},{"messageId":"B","fromMe":true,"status":"READ"},` +
		`{"messageId":"C","fromMe":false,"status":"RECEIVED","text":{"message":"hello"}},{"messageId":"D","fromMe":true,"status":"FAILED"},{"messageId":"E"},"F"]`
	for name, row := range map[string]struct {
		event, answer string
		want          bool
	}{
		"a text that came":             {`{"type":"ReceivedCallback","messageId":"C","phone":"55","text":{"message":"hello"}}`, chat, true},
		"another text":                 {`{"type":"ReceivedCallback","messageId":"C","phone":"55","text":{"message":"hello!"}}`, chat, false},
		"our own as another's":         {`{"type":"ReceivedCallback","messageId":"A","phone":"55","text":{"message":"hi"}}`, chat, false},
		"our own told back":            {`{"type":"ReceivedCallback","messageId":"A","phone":"55","fromMe":true,"text":{"message":"hi"}}`, chat, true},
		"of which nobody says whose":   {`{"type":"ReceivedCallback","messageId":"E","phone":"55"}`, chat, false},
		"that is no object":            {`{"type":"ReceivedCallback","messageId":"F","phone":"55"}`, chat, false},
		"delivered":                    {`{"type":"DeliveryCallback","messageId":"A","phone":"55"}`, chat, true},
		"failed, though it arrived":    {`{"type":"DeliveryCallback","messageId":"A","phone":"55","error":"x"}`, chat, false},
		"failed":                       {`{"type":"DeliveryCallback","messageId":"D","phone":"55","error":"x"}`, chat, true},
		"as far as received":           {`{"type":"MessageStatusCallback","ids":["A","B"],"phone":"55","status":"RECEIVED"}`, chat, true},
		"not all as far as read":       {`{"type":"MessageStatusCallback","ids":["A","B"],"phone":"55","status":"READ"}`, chat, false},
		"one that is not there":        {`{"type":"MessageStatusCallback","ids":["A","X"],"phone":"55","status":"RECEIVED"}`, chat, false},
		"connected":                    {`{"type":"ConnectedCallback"}`, `{"connected":true}`, true},
		"not connected":                {`{"type":"DisconnectedCallback"}`, `{"connected":false}`, true},
		"connected, though it is not":  {`{"type":"ConnectedCallback"}`, `{"connected":false}`, false},
		"connected, of which no word":  {`{"type":"DisconnectedCallback"}`, `{}`, false},
		"an answer that is no answer":  {`{"type":"ConnectedCallback"}`, `[`, false},
		"a list that is no list":       {`{"type":"DeliveryCallback","messageId":"A","phone":"55"}`, `{"A":1}`, false},
		"a list of nothing":            {`{"type":"DeliveryCallback","messageId":"A","phone":"55"}`, `[]`, false},
		"nothing at all":               {`{"type":"DeliveryCallback","messageId":"A","phone":"55"}`, `null`, false},
		"a status that nobody knows":   {`{"type":"MessageStatusCallback","ids":["D"],"phone":"55","status":"SENT"}`, chat, false},
		"ids that are no list of text": {`{"type":"MessageStatusCallback","ids":["A"],"phone":"55","status":"SENT"}`, `[[["A"]]]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			question, ok := webhook.QuestionOf("z-api", []byte(row.event))
			require.True(t, ok)
			require.Equal(t, row.want, question.Confirms(row.answer))
		})
	}
}

func TestWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no phone": `{"type":"ReceivedCallback","messageId":"A"}`, "no id": `{"type":"DeliveryCallback","phone":"55"}`, "no ids": `{"type":"MessageStatusCallback","phone":"55","ids":[]}`,
		"ids of another kind": `{"type":"MessageStatusCallback","phone":"55","ids":["A",{}]}`, "another kind": `{"type":"PresenceChatCallback","phone":"55"}`, "no JSON": `{`,
	} {
		_, ok := webhook.QuestionOf("z-api", []byte(body))
		require.False(t, ok, name)
	}
	_, ok := webhook.QuestionOf("crm", []byte(`{"type":"ReceivedCallback","messageId":"A","phone":"55"}`))
	require.False(t, ok)
	question, ok := webhook.QuestionOf("z-api", []byte(`{"type":"DeliveryCallback","messageId":"A","phone":"5511"}`))
	require.True(t, ok)
	require.Equal(t, "get_messages", question.Tool)
	require.JSONEq(t, `{"phone":"5511","amount":50}`, string(question.Arguments))
}

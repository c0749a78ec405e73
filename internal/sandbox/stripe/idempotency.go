package stripe

import (
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// maxKey is the longest idempotency key that Stripe takes.
const maxKey = 255

// reply is what a key was answered with, and for which request.
type reply struct {
	request string
	answer  fake.Answer
}

// around keeps Stripe's promise about idempotency keys, and its request ids.
func around(c *call, handler fake.Handler[state]) fake.Answer {
	answer := once(c, handler)
	header := answer.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Request-Id", c.Token("req_", fake.Base62, 14))
	answer.Header = header
	return answer
}

func once(c *call, handler fake.Handler[state]) fake.Answer {
	key := c.Header("Idempotency-Key")
	if key == "" || c.Request.Method != http.MethodPost {
		return handler(c)
	}
	if len(key) > maxKey {
		return *invalid(fault{Message: "Your idempotency key is too long; at most 255 characters are allowed."})
	}
	request := c.Request.URL.Path + "\n" + journal.HashBody(c.Body)
	if earlier, ok := c.State.replies[key]; ok {
		if earlier.request != request {
			return *invalid(fault{
				Type:    typeIdempotency,
				Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request.",
			})
		}
		answer := earlier.answer
		answer.Header = http.Header{"Idempotent-Replayed": {"true"}}
		return answer
	}
	answer := handler(c)
	// What fails its validation never began, and Stripe does not keep it.
	if answer.Status < 300 || answer.Status == http.StatusPaymentRequired {
		c.State.replies[key] = reply{request: request, answer: answer.Frozen()}
	}
	return answer
}

package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/sashabaranov/go-openai"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/telemetry"
)

var _ agent.Model = (*Client)(nil)

// errTooSlow occurs when one try takes longer than its bound.
var errTooSlow = errors.New("no whole answer in time")

// Client is an [agent.Model] at an operator. It is safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client
	// authorize and scrub hold the key, where no print of a client finds it.
	authorize func(*http.Request)
	scrub     func(string) string
}

// New returns a client. It reaches nothing: a wrong key is found out by the
// first reply.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	key := config.Key
	config.Key = "" // fmt calls no methods on unexported fields
	return &Client{
		config: config,
		http: &http.Client{
			Transport: config.Transport,
			// A redirect would carry prompt and key to where nobody sent them.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		authorize: func(request *http.Request) {
			if key != "" {
				request.Header.Set("Authorization", "Bearer "+key.Reveal())
			}
		},
		scrub: telemetry.NewRedactor(key.Reveal()).Scrub,
	}, nil
}

// Close gives idle connections back. Calls that are going on go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reply implements [agent.Model]. What onDelta hears is a preview: when a
// stream breaks off, the next try tells its text from the beginning, and only
// the reply that is returned counts.
func (c *Client) Reply(ctx context.Context, prompt agent.Prompt, onDelta func(text string)) (agent.Reply, error) {
	request, err := c.request(prompt)
	if err != nil {
		return agent.Reply{}, fmt.Errorf("asking model %s: %w", c.config.Model, err)
	}
	patience := newPatience(c.config.MaxElapsed, c.config.Now)
	attempts := 0
	reply, err := backoff.RetryNotifyWithTimerAndData(func() (agent.Reply, error) {
		attempts++
		reply, err := c.try(ctx, request, onDelta, min(c.config.Timeout, patience.left()))
		return reply, patience.judge(err)
	}, backoff.WithContext(patience, ctx), func(err error, wait time.Duration) {
		c.config.Logger.WarnContext(ctx, "asking the model again", "model", c.config.Model, "attempt", attempts, "wait", wait, "error", err)
	}, c.config.NewTimer())
	if err == nil {
		return reply, nil
	}
	return agent.Reply{}, fmt.Errorf("asking model %s: %w", c.config.Model, c.verdict(ctx, err))
}

// verdict is what a caller may do about the last failure.
func (c *Client) verdict(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failed *failure
	if errors.As(err, &failed) && failed.class == classPassing && failed.wait > 0 {
		return outcome.RetryAfter(err, failed.wait)
	}
	return err
}

// try asks once. The error, if any, is a *failure.
func (c *Client) try(ctx context.Context, request openai.ChatCompletionRequest, onDelta func(string), timeout time.Duration) (agent.Reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: %s", errTooSlow, timeout))
	defer cancel()
	exchange := &exchange{client: c}
	config := openai.DefaultConfig("") // the exchange adds the key
	config.BaseURL = c.config.BaseURL
	config.HTTPClient = exchange
	// Comments that keep a stream alive count as empty messages; the bound of
	// the answer bounds them too.
	config.EmptyMessagesLimit = 1 << 20
	operator := openai.NewClientWithConfig(config)

	if onDelta == nil {
		answer, err := operator.CreateChatCompletion(ctx, request)
		if err != nil {
			return agent.Reply{}, c.diagnose(ctx, exchange, err)
		}
		return c.read(answer)
	}
	request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := operator.CreateChatCompletionStream(ctx, request)
	if err != nil {
		return agent.Reply{}, c.diagnose(ctx, exchange, err)
	}
	defer discard(stream)
	return c.listen(ctx, stream, onDelta)
}

// diagnose reads an error of go-openai's own.
func (c *Client) diagnose(ctx context.Context, exchange *exchange, err error) *failure {
	var known *failure
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return passing(context.Cause(ctx), c.scrub(context.Cause(ctx).Error()))
	case exchange.answered:
		return rubbish("%s", shorten(c.scrub(err.Error())))
	default:
		return refusal(shorten(c.scrub(err.Error())))
	}
}

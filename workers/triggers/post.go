package triggers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/trigger"
)

// maxAnswer is how much of an answer is read, so that its connection can be used
// again. What it says is nobody's business.
const maxAnswer = 16 << 10

// post tells an endpoint once.
func (r *round) post(ctx context.Context, of trigger.Trigger, queued *events.DeliveryQueued) trigger.Answer {
	secrets, err := r.config.Safe.Secrets(ctx, of)
	var headers map[string]string
	if err == nil {
		headers, err = trigger.Sign(secrets, queued.ID, queued.Body, r.config.Now())
	}
	if err != nil {
		if ctx.Err() == nil {
			r.config.Logger.ErrorContext(ctx, "delivery cannot be signed", slog.String("tenant", string(of.Tenant)),
				slog.String("trigger", string(of.ID)), slog.Any("error", err))
		}
		return trigger.Answer{Fault: trigger.FaultSecret}
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, of.URL, bytes.NewReader(queued.Body))
	if err != nil {
		return trigger.Answer{Fault: trigger.FaultConnect}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Feira-Webhooks/1")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := r.config.Transport.RoundTrip(request)
	if err != nil {
		return trigger.Answer{Fault: faultOf(ctx, err)}
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer) // the status has told all
	return trigger.Answer{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), r.config.Now())}
}

// faultOf is why there was no answer, in a word: errors of the network may show
// the URL.
func faultOf(ctx context.Context, err error) string {
	timeout := net.Error(nil)
	switch {
	case egress.Prohibited(err):
		return trigger.FaultRefused
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return trigger.FaultTimeout
	}
	return trigger.FaultConnect
}

// retryAfter reads seconds or a date; 0 when it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

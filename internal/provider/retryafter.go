package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// unixTimes begin above every number of seconds that a provider would have
// somebody wait.
const unixTimes = 1_000_000_000

// retryAfter is the provider's wish, 0 when it has none: by the header that
// all may send, else by the provider's own of its rate limit.
func (a answer) retryAfter(spec RateLimitSpec, now time.Time) time.Duration {
	if wait := parseRetryAfter(a.header.Get("Retry-After"), now); wait > 0 || spec.Reset == "" || a.status != http.StatusTooManyRequests {
		return wait
	}
	return parseReset(a.header.Get(spec.Reset), now)
}

// parseRetryAfter reads seconds or a date; 0 when it is neither.
func parseRetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// parseReset reads seconds from now or a Unix time; 0 when it is neither.
func parseReset(text string, now time.Time) time.Duration {
	number, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	switch {
	case err != nil || number < 0:
		return 0
	case number >= unixTimes:
		return max(time.Unix(number, 0).Sub(now), 0)
	default:
		return time.Duration(number) * time.Second
	}
}

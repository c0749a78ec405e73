package trigger

import (
	"strconv"
	"time"
)

// Timeout is how long an endpoint has for its answer.
const Timeout = 15 * time.Second

// maxRetryAfter is the longest that an endpoint's word keeps everything from it.
const maxRetryAfter = 24 * time.Hour

// Answer is what an endpoint said.
type Answer struct {
	// Status is 0 when there was no answer; Fault says why then.
	Status int
	Fault  string
	// RetryAfter is what the endpoint asked for.
	RetryAfter time.Duration
}

// Codes of answers that never came.
const (
	FaultTimeout = "timeout"
	FaultConnect = "connection_failed"
	FaultRefused = "address_refused" // not a public address
	FaultSecret  = "no_secret"
)

// Verdict is what an answer means.
type Verdict struct {
	Delivered bool
	// Gone endpoints are told no more.
	Gone bool
	// Hold keeps everything from the endpoint for so long.
	Hold time.Duration
	// Code is what tenants are shown of a failure.
	Code string
}

// Judge reads an answer: 2xx alone is good, a redirection is not followed, 410
// is for ever, and 429, 502, 503 and 504 say how long to wait.
func Judge(answer Answer) Verdict {
	switch {
	case answer.Status >= 200 && answer.Status < 300:
		return Verdict{Delivered: true}
	case answer.Status == 0:
		return Verdict{Code: answer.Fault}
	}
	verdict := Verdict{Code: "http_" + strconv.Itoa(answer.Status)}
	switch answer.Status {
	case 410:
		verdict.Gone = true
	case 429, 502, 503, 504:
		verdict.Hold = min(max(answer.RetryAfter, 0), maxRetryAfter)
	}
	return verdict
}

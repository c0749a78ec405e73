package stripe

import (
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Types and codes of Stripe's errors.
const (
	typeInvalid     = "invalid_request_error"
	typeCard        = "card_error"
	typeAPI         = "api_error"
	typeIdempotency = "idempotency_error"

	codeMissing     = "parameter_missing"
	codeUnknown     = "parameter_unknown"
	codeInteger     = "parameter_invalid_integer"
	codeNoResource  = "resource_missing"
	codeState       = "payment_intent_unexpected_state"
	codeAmountSmall = "amount_too_small"
)

// fault is the object under "error".
type fault struct {
	Type        string  `json:"type"`
	Code        string  `json:"code,omitempty"`
	Message     string  `json:"message"`
	Param       string  `json:"param,omitempty"`
	DeclineCode string  `json:"decline_code,omitempty"`
	Intent      *intent `json:"payment_intent,omitempty"`
}

func refuse(status int, f fault) fake.Answer {
	if f.Type == "" {
		f.Type = typeInvalid
	}
	return fake.Answer{Status: status, Body: fake.Map{"error": f}}
}

func invalid(f fault) *fake.Answer {
	answer := refuse(http.StatusBadRequest, f)
	return &answer
}

func missing(param string) *fake.Answer {
	return invalid(fault{Code: codeMissing, Param: param, Message: "Missing required param: " + param + "."})
}

// absent is a 404 when the id was in the path, and a 400 when it was a parameter.
func absent(status int, kind, param, id string) fake.Answer {
	return refuse(status, fault{Code: codeNoResource, Param: param, Message: "No such " + kind + ": '" + id + "'"})
}

func refuseStatus(r *http.Request, status int) fake.Answer {
	switch status {
	case http.StatusNotFound:
		return refuse(status, fault{Message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + "). Please see https://stripe.com/docs."})
	case http.StatusTooManyRequests:
		return refuse(status, fault{Code: "rate_limit", Message: "Request rate limit exceeded."})
	default:
		return refuse(status, fault{Type: typeAPI, Message: "An unknown error occurred."})
	}
}

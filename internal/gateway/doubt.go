package gateway

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/feira-dev/feira/internal/session"
)

// unavailable is the answer where something passes: what it says is whether
// anything was done.
func unavailable(says string) *APIError {
	made := problem(http.StatusServiceUnavailable, CodeUnavailable, "%s", says)
	made.headers = http.Header{"Retry-After": {"1"}}
	return made
}

// remedy is what a client may do that does not know whether something was done.
type remedy string

// Remedies. An answer that tells of a doubt is not kept under an idempotency key
// (see [Gateway.keep]), so a key helps only where what is made follows from it.
const (
	remedyAgain      remedy = "asking for the same again does no harm"
	remedySession    remedy = "with an Idempotency-Key, asking again with the same key opens no second one; without, GET /v1/sessions tells"
	remedyTwice      remedy = "asking again may tell the endpoint twice, under one webhook-id for each delivery"
	remedyRotation   remedy = "where GET /v1/triggers/{id} shows a new rotated_at it was, and rotating again makes a secret that is shown; the old ones sign for a day"
	remedyTriggers   remedy = "look at GET /v1/triggers first, and delete the one whose secret was not shown"
	remedyKeys       remedy = "look at GET /v1/api-keys first, and revoke the one whose text was not shown"
	remedyTenant     remedy = "GET /v1/tenants/{id} tells"
	remedyAddress    remedy = "ask again; where the answer is 200 it was, and rotating the address shows a secret where Feira makes it"
	remedyOldAddress remedy = "POST /v1/connections/{id}/webhook shows the address: where old_secret_until is new it was, and the secret before stays good until you rotate again"
	remedyLink       remedy = "where the link is used up, begin again where you came from"
	remedyWebhook    remedy = "send it again"
)

// unsure words the error of a port that was asked to write: the broker may have
// taken the write before its answer was lost. Whatever fails before such a port
// is asked is [worded].
func unsure(err error, then remedy) error {
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, session.ErrUncertain) {
		return worded(err)
	}
	return unavailable("the broker does not say whether this was done; " + string(then))
}

// unshown words the error of a port that was to tell what came of a write that
// was done.
func unshown(err error, then remedy) error {
	if !errors.Is(err, ErrUnavailable) {
		return worded(err)
	}
	return unavailable("this was done, but the broker cannot be reached to show what came of it; " + string(then))
}

// remedyRequest is what a client may do that does not know whether its request
// was taken, or what becomes of it.
func remedyRequest(of Pending) remedy {
	return remedy(fmt.Sprintf("with an Idempotency-Key, asking again with the same key is the same request; GET /v1/sessions/%s/requests/%s/events tells what becomes of it",
		of.Session, of.Request))
}

// unheard is the answer to whoever waits for a request and cannot: the request
// goes on without anybody who waits.
func unheard(of Pending) error {
	return unavailable("what becomes of the request cannot be heard now; where it was taken it goes on; " + string(remedyRequest(of)))
}

package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	// headerKey names an act, so that asking for it again does not do it again.
	headerKey = "Idempotency-Key"
	// headerReplayed says that an answer was given before.
	headerReplayed = "Idempotent-Replayed"
	maxKey         = 255
	// keepTime bounds the keeping of an answer, which goes on without its client.
	keepTime = 5 * time.Second
)

// Errors of [Replies].
var (
	// ErrKeyBusy occurs when what a key names is being done.
	ErrKeyBusy = errors.New("the idempotency key is in use")
	// ErrKeyConflict occurs when a key has named something else.
	ErrKeyConflict = errors.New("the idempotency key was used for something else")
)

// Replies keeps the answers that were given under idempotency keys, for all
// gateways. Implementations are safe for concurrent use.
type Replies interface {
	// Begin claims a key, or gives the answer that was kept under it. It fails with
	// an error that wraps [ErrKeyBusy] or [ErrKeyConflict].
	Begin(ctx context.Context, what Keyed) (ReplyClaim, *Reply, error)
}

// Keyed is what is asked under an idempotency key.
type Keyed struct {
	// Scope is within what Key is unique.
	Scope string
	Key   string
	// Sum tells what is asked from anything else.
	Sum [sha256.Size]byte
}

// ReplyClaim is the right to answer under a key. It belongs to one goroutine.
type ReplyClaim interface {
	// Finish keeps the answer.
	Finish(ctx context.Context, reply Reply) error
	// Abandon lets the next one begin.
	Abandon(ctx context.Context) error
}

// Reply is an answer that is kept.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// keyed has an endpoint act once for an idempotency key, where the client gives
// one. What comes of a request of a session is not kept here but read from the
// session's log (see [errand]): it may take minutes, and is known for longer.
//
// An answer that says that nothing was done is not kept: the client may ask
// again when the reason has gone.
func (g *Gateway) keyed(e endpoint) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		key := ctx.Header(headerKey)
		if key == "" {
			next(ctx)
			return
		}
		if len(key) > maxKey {
			g.writeProblem(ctx, problem(http.StatusBadRequest, CodeInvalidRequest, "has %d bytes, at most %d are allowed", len(key), maxKey).at(headerKey))
			return
		}
		r, w := humago.Unwrap(ctx)
		r = r.WithContext(ctx.Context())
		claim, known, err := g.cfg.Replies.Begin(ctx.Context(), keyOf(e, r, key))
		if err != nil {
			g.writeProblem(ctx, worded(err))
			return
		}
		if known != nil {
			maps.Copy(w.Header(), known.Header)
			w.Header().Set(headerReplayed, "true")
			w.WriteHeader(known.Status)
			_, _ = w.Write(known.Body) // a client that left is nobody's loss
			return
		}
		answer := &recorded{header: http.Header{}}
		defer func() { // also when the endpoint panics: the claim is not to stay
			g.keep(ctx.Context(), claim, answer)
		}()
		next(humago.NewContext(ctx.Operation(), r, answer))
		g.keep(ctx.Context(), claim, answer)
		maps.Copy(w.Header(), answer.header)
		w.WriteHeader(max(answer.status, http.StatusOK))
		_, _ = w.Write(answer.body.Bytes()) // a client that left is nobody's loss
	}
}

// keyOf is a key in its scope: one caller's never meets another's, nor that of
// another endpoint. What it was used for is the whole of the request.
func keyOf(e endpoint, r *http.Request, key string) Keyed {
	caller := callerOf(r.Context()).Key()
	asked := sha256.New()
	for _, part := range []string{
		r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get(headerTenant), r.Header.Get(headerProject), string(exchangeOf(r.Context()).body),
	} {
		asked.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	keyed := Keyed{Scope: strings.Join([]string{string(caller.ID), string(caller.Tenant), e.id}, "\n"), Key: key}
	asked.Sum(keyed.Sum[:0])
	return keyed
}

// keep ends a claim: with the answer where something was done. Without it the
// claim runs out, and the client hears of a key in use until then.
func (g *Gateway) keep(ctx context.Context, claim ReplyClaim, answer *recorded) {
	if answer.kept {
		return
	}
	answer.kept = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	var err error
	if answer.status >= http.StatusOK && answer.status < http.StatusMultipleChoices {
		err = claim.Finish(ctx, Reply{Status: answer.status, Header: answer.header, Body: withoutSecrets(answer.body.Bytes())})
	} else {
		err = claim.Abandon(ctx)
	}
	if err != nil {
		g.cfg.Logger.WarnContext(ctx, "answer under an idempotency key was not kept", "request_id", requestID(ctx), "error", err)
	}
}

// recorded is an answer before it is given.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
	kept   bool
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(p []byte) (int, error) { return r.body.Write(p) }

// secretFields are what answers show once: they are kept nowhere in clear.
func secretFields() []string { return []string{"full_key", "secret"} }

// withoutSecrets is an answer with nothing in place of each of its secrets.
func withoutSecrets(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || !slices.ContainsFunc(secretFields(), func(name string) bool { return fields[name] != nil }) {
		return body
	}
	for _, name := range secretFields() {
		if fields[name] != nil {
			fields[name] = json.RawMessage(`""`)
		}
	}
	if fields["warning"] != nil {
		fields["warning"] = json.RawMessage(`"It was shown in the first answer under this Idempotency-Key, and cannot be shown again."`)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil // what cannot be laid out is not kept
	}
	return append(text, '\n')
}

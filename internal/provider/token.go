package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	tokenTimeout  = 10 * time.Second
	tokenMargin   = time.Minute // a token this near its end is not used any more
	tokenLifetime = 5 * time.Minute
	maxTokenBytes = 64 << 10
	maxTokens     = 8192
)

// tokenError says why there is no token. It holds nothing of what was sent or
// answered.
type tokenError struct {
	status int // 0 when there was no answer
	cause  error
}

func (e *tokenError) Error() string {
	if e.status != 0 {
		return "obtaining a token: answered " + strconv.Itoa(e.status)
	}
	return "obtaining a token: " + e.cause.Error()
}

func (e *tokenError) Unwrap() error { return e.cause }

var errTokenAnswer = errors.New("the answer holds no token")

// tokens keeps short-lived tokens in memory, one for each credential, and lets
// one caller fetch for all who wait. It is safe for concurrent use.
type tokens struct {
	now    func() time.Time
	flight singleflight.Group
	held   *lru.Cache[string, heldToken]
}

type heldToken struct {
	token   string
	expires time.Time
}

func newTokens(now func() time.Time) (*tokens, error) {
	held, err := lru.New[string, heldToken](maxTokens)
	if err != nil {
		return nil, fmt.Errorf("making token cache: %w", err)
	}
	return &tokens{now: now, held: held}, nil
}

// tokenKey tells credentials apart without holding them: a credential that was
// replaced gets a token of its own.
func tokenKey(scope string, fields map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		_, _ = fmt.Fprintf(sum, "%d:%s=%d:%s;", len(name), name, len(fields[name]), fields[name])
	}
	return scope + "|" + hex.EncodeToString(sum.Sum(nil))
}

func (t *tokens) get(ctx context.Context, key string, fetch func(context.Context) (heldToken, error)) (string, error) {
	if held, ok := t.held.Get(key); ok && t.now().Add(tokenMargin).Before(held.expires) {
		return held.token, nil
	}
	// The fetch outlives the caller that began it: others wait for it too.
	done := t.flight.DoChan(key, func() (any, error) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		fetched, err := fetch(within)
		if err != nil {
			return "", err
		}
		t.held.Add(key, fetched)
		return fetched.token, nil
	})
	select {
	case <-ctx.Done():
		return "", &tokenError{cause: ctx.Err()}
	case result := <-done:
		token, _ := result.Val.(string)
		return token, result.Err
	}
}

// forget drops a token that the provider no longer takes, unless another one
// has come in its place.
func (t *tokens) forget(key, token string) {
	if held, ok := t.held.Peek(key); ok && held.token == token {
		t.held.Remove(key)
	}
}

// exchange obtains a token for the credential of an account.
func (a *account) exchange(ctx context.Context, next http.RoundTripper) (heldToken, error) {
	spec := *a.server.manifest.Auth.Token
	body, err := ask(ctx, next, func(ctx context.Context) (*http.Request, error) {
		return a.tokenRequest(ctx, spec, a.server.tokenURL(a.base))
	})
	if err != nil {
		return heldToken{}, err
	}
	return spec.read(body, a.client.config.Now())
}

// ask sends a request for a token and reads what comes back.
func ask(ctx context.Context, next http.RoundTripper, made func(context.Context) (*http.Request, error)) ([]byte, error) {
	request, err := made(ctx)
	if err != nil {
		return nil, &tokenError{cause: errTokenAnswer}
	}
	response, err := next.RoundTrip(request)
	if err != nil {
		return nil, &tokenError{cause: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBytes))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &tokenError{status: response.StatusCode}
	}
	if err != nil {
		return nil, &tokenError{cause: err}
	}
	return body, nil
}

func (a *account) tokenRequest(ctx context.Context, spec TokenSpec, address string) (*http.Request, error) {
	request, err := a.post(ctx, address, a.fillAll(spec.Form), a.fillAll(spec.JSON))
	if err != nil {
		return nil, err
	}
	if spec.Username != "" {
		username, _ := a.fill(spec.Username)
		password, _ := a.fill(spec.Password)
		request.SetBasicAuth(username, password)
	}
	return request, nil
}

func (a *account) fillAll(layout map[string]string) map[string]string {
	filled := make(map[string]string, len(layout))
	for name, text := range layout {
		if value, ok := a.fill(text); ok {
			filled[name] = value
		}
	}
	return filled
}

// post makes a request with a form, or with JSON where there is none.
func (a *account) post(ctx context.Context, address string, form, document map[string]string) (*http.Request, error) {
	body, err := encodeJSON(document)
	if err != nil {
		return nil, err
	}
	contentType := "application/json"
	if len(form) > 0 {
		values := url.Values{}
		for name, text := range form {
			values.Set(name, text)
		}
		body, contentType = []byte(values.Encode()), "application/x-www-form-urlencoded"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	a.client.setHeaders(request.Header, a.server.manifest)
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

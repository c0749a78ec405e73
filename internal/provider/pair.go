package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// present exchanges the refresh token, which the account has claimed. A claim
// whose exchange failed is left to run out, so that the provider is not asked
// at every call; only where nothing is left to wait for is it given back. A
// refusal for good is written down, for people to see.
func (a *account) present(ctx context.Context, call agent.Call, was Credential) error {
	// However long the claim was waited for, the exchange has its time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	fields := maps.Clone(a.fields)
	delete(fields, FieldRenewingUntil)
	delete(fields, FieldRefusedAt)
	pair, err := a.exchangePair(ctx)
	if err != nil {
		if !refusedToken(err) {
			return err
		}
		now := a.client.config.Now().UTC()
		fields[FieldRefusedAt] = now.Format(time.RFC3339)
		if a.usable() {
			fields[FieldRenewingUntil] = now.Add(renewClaim).Format(time.RFC3339)
		}
		_, _ = a.client.config.Renewals.Replace(ctx, renewalOf(call, was, fields))
		return err
	}
	maps.Copy(fields, pair)
	return a.keep(ctx, renewalOf(call, was, fields))
}

// keep stores a pair, and tries hard: the one before is spent.
func (a *account) keep(ctx context.Context, renewal Renewal) error {
	waits := a.client.backoff()
	for try := 1; ; try++ {
		_, err := a.client.config.Renewals.Replace(ctx, renewal)
		if err == nil || errors.Is(err, ErrReplaced) {
			return nil // by an earlier try, or by a person: what is stored counts
		}
		if try == keepTries || a.wait(ctx, waits.NextBackOff()) != nil {
			return fmt.Errorf("storing the renewed credential: %w", err)
		}
	}
}

// exchangePair obtains a new pair of tokens, as fields of the credential.
func (a *account) exchangePair(ctx context.Context) (map[string]string, error) {
	spec := a.server.manifest.Auth.Refresh
	return a.obtainPair(ctx, func(ctx context.Context) (*http.Request, error) {
		return a.tokenRequest(ctx, spec.TokenSpec, a.server.refreshURL(a.base))
	})
}

// obtainPair sends a request for a pair of tokens, once.
func (a *account) obtainPair(ctx context.Context, made func(context.Context) (*http.Request, error)) (map[string]string, error) {
	within, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	// One try, on a connection of its own: net/http repeats nothing then.
	body, err := ask(within, egress.Gate{Origins: a.origins, Next: http.RoundTripper(a.server.wire.Fresh)}, made)
	if err != nil {
		return nil, err
	}
	spec := a.server.manifest.Auth.Refresh
	got, err := spec.read(body, a.client.config.Now())
	if err != nil {
		return nil, err
	}
	pair := map[string]string{FieldAccessToken: got.token, FieldExpiresAt: got.expires.UTC().Format(time.RFC3339)}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return nil, &tokenError{cause: errTokenAnswer}
	}
	found, _ := at(document, spec.RefreshToken)
	if next, isText := found.(string); isText && next != "" && !hostile.HasControl(next) {
		pair[FieldRefreshToken] = next
	}
	return pair, nil
}

// refusedToken reports whether the provider has said no, and will again.
func refusedToken(err error) bool {
	var token *tokenError
	return errors.As(err, &token) && token.status != 0 && !inDoubt(token.status) && token.status != http.StatusTooManyRequests
}

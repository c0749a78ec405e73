package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// Bounds of the parts of a connection, in bytes.
const (
	maxState    = 512
	maxRedirect = 2048
	maxCode     = 4096
	challenge   = 43 // a SHA-256 in base64 (RFC 7636, 4.2)
	minVerifier = 43
	maxVerifier = 128
)

// AuthorizeParams is what a page is asked for that connects an account.
type AuthorizeParams struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// State comes back with the code. It is the caller's: random, bound to the
	// person's browser, and used once.
	State string
	// Redirect is where the code goes: https, or http on loopback.
	Redirect string
	// Challenge is RFC 7636's, by S256. It is sent where the provider takes one,
	// and required there.
	Challenge string
	// Scopes defaults to the manifest's; none beyond them can be asked for.
	Scopes []string
}

// AuthorizeURL is the page at which a person lets the application use an
// account. It sends nothing, and the URL holds no secret.
func (c *Client) AuthorizeURL(ctx context.Context, params AuthorizeParams) (string, error) {
	a, spec, err := c.applicant(ctx, params.Tenant, params.Server, params.Environment)
	if err != nil {
		return "", err
	}
	if err := params.check(spec); err != nil {
		return "", err
	}
	id, ok := a.fill("{client_id}")
	if !ok {
		return "", noApplication(a)
	}
	scopes := params.Scopes
	if len(scopes) == 0 {
		scopes = spec.Scopes
	}
	query := url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {params.Redirect},
		"scope": {strings.Join(scopes, " ")}, "state": {params.State},
	}
	if spec.PKCE {
		query.Set("code_challenge", params.Challenge)
		query.Set("code_challenge_method", "S256")
	}
	return a.server.hostURL(a.base, spec.URL) + "?" + query.Encode(), nil
}

func (p AuthorizeParams) check(spec *AuthorizeSpec) error {
	if p.State == "" || len(p.State) > maxState || hostile.HasControl(p.State) {
		return fmt.Errorf("%w: state has to be 1 to %d bytes without control characters", ErrInvalidGrant, maxState)
	}
	if spec.PKCE && (len(p.Challenge) != challenge || !isUnreserved(p.Challenge)) {
		return fmt.Errorf("%w: challenge has to be a SHA-256 in base64url", ErrInvalidGrant)
	}
	for i, scope := range p.Scopes {
		if !slices.Contains(spec.Scopes, scope) {
			return fmt.Errorf("%w: scopes[%d] is none of %s", ErrInvalidGrant, i, strings.Join(spec.Scopes, ", "))
		}
	}
	return checkRedirect(p.Redirect)
}

func checkRedirect(text string) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxRedirect || hostile.HasControl(text) || parsed.Host == "":
		return fmt.Errorf("%w: redirect is no URL of at most %d bytes", ErrInvalidGrant, maxRedirect)
	case parsed.User != nil || parsed.Fragment != "" || strings.HasSuffix(text, "#"):
		return fmt.Errorf("%w: redirect may have no user and no fragment", ErrInvalidGrant)
	case parsed.Scheme == "https", parsed.Scheme == "http" && isLoopback(parsed.Hostname()):
		return nil
	default:
		return fmt.Errorf("%w: redirect has to be https, or http on loopback", ErrInvalidGrant)
	}
}

func isLoopback(host string) bool {
	address := net.ParseIP(host)
	return host == "localhost" || address != nil && address.IsLoopback()
}

func isUnreserved(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-._~", r)
	})
}

// ConnectParams is a code that a person's grant has given.
type ConnectParams struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// Code is good once and for a short time.
	Code string
	// Redirect is the one that the page was asked with.
	Redirect string
	// Verifier is what the challenge was made of, where the provider takes one.
	Verifier string
}

func (p ConnectParams) check(spec *AuthorizeSpec) error {
	if p.Code == "" || len(p.Code) > maxCode || hostile.HasControl(p.Code) {
		return fmt.Errorf("%w: code has to be 1 to %d bytes without control characters", ErrInvalidGrant, maxCode)
	}
	if spec.PKCE && (len(p.Verifier) < minVerifier || len(p.Verifier) > maxVerifier || !isUnreserved(p.Verifier)) {
		return fmt.Errorf("%w: verifier has to be %d to %d letters, digits, \"-\", \".\", \"_\" or \"~\"", ErrInvalidGrant, minVerifier, maxVerifier)
	}
	return checkRedirect(p.Redirect)
}

// Connect exchanges a code for the tenant's first pair of tokens and stores it
// in place of whatever the tenant had at the server. The code is sent once: when
// the answer is lost, so is the code, and the person has to be asked again. It
// wraps [ErrRefused] when the provider does not take the code.
func (c *Client) Connect(ctx context.Context, params ConnectParams) error {
	a, spec, err := c.applicant(ctx, params.Tenant, params.Server, params.Environment)
	if err != nil {
		return err
	}
	if err := params.check(spec); err != nil {
		return err
	}
	if c.config.Renewals == nil {
		return fmt.Errorf("%w: there is nowhere to store a pair of tokens", ErrNotConnectable)
	}
	fields := maps.Clone(a.fields) // the tenant's own application, where it has one
	pair, err := a.redeem(ctx, spec, params)
	if err != nil {
		return err
	}
	maps.Copy(fields, pair)
	if err := a.server.manifest.Credential.check(fields); err != nil {
		return fmt.Errorf("connecting %s: %w", a.server.manifest.Name, err)
	}
	// The code is spent: whoever asked may be gone, the pair is stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	return a.keep(ctx, Renewal{Tenant: params.Tenant, Server: params.Server, Environment: params.Environment, Fields: fields})
}

func (a *account) redeem(ctx context.Context, spec *AuthorizeSpec, params ConnectParams) (map[string]string, error) {
	grant := map[string]string{"{$code}": params.Code, "{$redirect_uri}": params.Redirect, "{$code_verifier}": params.Verifier}
	filled := func(layout map[string]string) (map[string]string, bool) {
		body := make(map[string]string, len(layout))
		for name, text := range layout {
			value, given := grant[text] // whole, so that no part of a code is read as a field
			if !given {
				var complete bool
				if value, complete = a.fill(text); !complete {
					return nil, false
				}
			}
			body[name] = value
		}
		return body, true
	}
	form, formOK := filled(spec.Form)
	document, documentOK := filled(spec.JSON)
	if !formOK || !documentOK {
		return nil, noApplication(a)
	}
	pair, err := a.obtainPair(ctx, func(ctx context.Context) (*http.Request, error) {
		return a.post(ctx, a.server.refreshURL(a.base), form, document)
	})
	if refusedToken(err) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting %s: %w", a.server.manifest.Name, err)
	}
	if pair[FieldRefreshToken] == "" {
		return nil, fmt.Errorf("connecting %s: %w", a.server.manifest.Name, &tokenError{cause: errTokenAnswer})
	}
	return pair, nil
}

// applicant is an account that is yet to be connected: the application alone,
// the tenant's own or the operator's.
func (c *Client) applicant(ctx context.Context, tenant events.TenantID, server string, env events.Environment) (*account, *AuthorizeSpec, error) {
	on, ok := c.servers[server]
	if !ok {
		return nil, nil, fmt.Errorf("connecting %s: %w", hostile.Shown(server), ErrUnknownServer)
	}
	base, ok := on.base(env)
	spec := on.manifest.Auth.Authorize
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("connecting %s: %w: no such environment", server, ErrUnknownServer)
	case spec == nil:
		return nil, nil, fmt.Errorf("connecting %s: %w", server, ErrNotConnectable)
	}
	a := &account{client: c, server: on, env: env, base: base, origins: on.origins(env), fields: map[string]string{}, scrubber: &egress.Scrubber{}}
	held, err := c.config.Credentials.Open(ctx, tenant, server, env)
	switch {
	case err == nil:
		a.fields = a.reveal(held, func(field CredentialField) bool { return field.Application })
	case !errors.Is(err, ErrNoCredential):
		return nil, nil, fmt.Errorf("opening the credential for %s: %w", server, err)
	}
	return a, spec, a.borrow(ctx)
}

func noApplication(a *account) error {
	return fmt.Errorf("%w: no application is registered with %s in %s", ErrNotConnectable, a.server.manifest.Name, a.env)
}

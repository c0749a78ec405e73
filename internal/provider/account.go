package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// account is one tenant at one server in one environment for the length of one
// call. It is used by one goroutine.
type account struct {
	client *Client
	server *server
	env    events.Environment
	base   string
	// origins are all that requests may go to.
	origins map[string]bool
	// fields are the credential in clear, read by the RoundTripper.
	fields map[string]string
	// lent are fields of the operator's application, which the credential lacks.
	// They are never stored with it.
	lent map[string]string
	// credential is where the fields are from.
	credential Credential
	scrubber   *egress.Scrubber
	tokenKey   string
	lane       *egress.Lane
	// satOut is the end of the pause that the call has waited for.
	satOut time.Time
}

// account opens the credential for a call, renewed where it is time, or says
// why not.
func (c *Client) account(ctx context.Context, on *server, call agent.Call) (*account, *events.ToolFault) {
	opened, fault := c.open(ctx, on, call)
	if fault == nil {
		fault = opened.lost()
	}
	if fault != nil || !opened.due(ctx) {
		return opened, fault
	}
	return c.renewed(ctx, opened, call)
}

func (c *Client) open(ctx context.Context, on *server, call agent.Call) (*account, *events.ToolFault) {
	manifest := on.manifest
	base, ok := on.base(call.Environment)
	if !ok {
		return nil, &events.ToolFault{Code: events.FaultNoCredential, Message: manifest.Name + " has no " + string(call.Environment) + " environment"}
	}
	credential, err := c.config.Credentials.Open(ctx, call.Tenant, manifest.ID, call.Environment)
	if err != nil {
		message := "there is no " + string(call.Environment) + " credential for " + manifest.Name
		if !errors.Is(err, ErrNoCredential) {
			c.config.Logger.ErrorContext(ctx, "credential cannot be opened", append(attributes(call), "error", hostile.ScrubForms(err.Error()))...)
			message = "the credential for " + manifest.Name + " cannot be opened"
		}
		return nil, &events.ToolFault{Code: events.FaultNoCredential, Message: message}
	}
	opened := &account{client: c, server: on, env: call.Environment, base: base, origins: on.origins(call.Environment), credential: credential, scrubber: &egress.Scrubber{}}
	opened.fields = opened.reveal(credential, func(CredentialField) bool { return true })
	if err := manifest.Credential.check(opened.fields); err != nil {
		return nil, &events.ToolFault{Code: events.FaultNoCredential, Message: manifest.Name + ": " + err.Error()}
	}
	if field, foreign := manifest.Credential.foreign(opened.fields, call.Environment); foreign {
		return nil, &events.ToolFault{
			Code:    events.FaultNoCredential,
			Message: manifest.Name + ": field " + field + " of the credential is not one for the " + string(call.Environment) + " environment",
		}
	}
	if token := manifest.Auth.Token; token != nil {
		pair, _ := opened.fill(token.Username + ":" + token.Password)
		opened.scrubber.Add(pair)
	}
	opened.tokenKey = tokenKey(string(call.Tenant)+"|"+manifest.ID+"|"+string(call.Environment), opened.fields)
	return opened, nil
}

// reveal takes fields out of a credential, and hides those that are secret.
func (a *account) reveal(from Credential, wanted func(CredentialField) bool) map[string]string {
	fields := map[string]string{}
	for _, field := range a.server.manifest.Credential.Fields {
		if !wanted(field) {
			continue
		}
		if value, ok := from.Reveal(field.Name); ok && value != "" {
			fields[field.Name] = value
			if field.Secret {
				a.scrubber.Add(value)
			}
		}
	}
	return fields
}

// fill puts credential fields into a text; false when one of them is absent.
func (a *account) fill(text string) (string, bool) {
	complete := true
	filled := fieldPattern.ReplaceAllStringFunc(text, func(brace string) string {
		name := brace[1 : len(brace)-1]
		value, ok := a.fields[name]
		if !ok {
			value, ok = a.lent[name]
		}
		complete = complete && ok
		return value
	})
	return filled, complete
}

// injector is the one place where a credential meets a request (V1).
type injector struct {
	account *account
	next    http.RoundTripper
	// secrets are members of the body that no argument carries.
	secrets map[string]string
	// token is the one that the last request carried.
	token string
	// dispatch is called with a context for the request that carries the call,
	// and never for the exchange of a token before it.
	dispatch func(context.Context) context.Context
}

// RoundTrip implements [http.RoundTripper].
func (i *injector) RoundTrip(original *http.Request) (*http.Response, error) {
	ctx := original.Context()
	request := original.Clone(i.dispatch(ctx))
	if err := i.authorise(ctx, request); err != nil {
		if original.Body != nil {
			_ = original.Body.Close()
		}
		return nil, err
	}
	return i.next.RoundTrip(request)
}

func (i *injector) authorise(ctx context.Context, request *http.Request) error {
	if err := i.insertSecrets(request); err != nil {
		return err
	}
	auth := i.account.server.manifest.Auth
	for name, text := range auth.Headers {
		if value, ok := i.account.fill(text); ok {
			request.Header.Set(name, value)
		}
	}
	if auth.Path != "" {
		if err := i.insertPath(request, auth.Path); err != nil {
			return err
		}
	}
	if auth.Token == nil {
		return nil
	}
	tokens := i.account.client.tokens
	token, err := tokens.get(ctx, i.account.tokenKey, func(ctx context.Context) (heldToken, error) {
		return i.account.exchange(ctx, i.next)
	})
	if err != nil {
		return err
	}
	i.token = token
	i.account.scrubber.Add(token)
	request.Header.Set("Authorization", "Bearer "+token)
	return nil
}

var errSecretPath = errors.New("the credential does not make a path")

// insertPath puts the provider's secret path between base and tool path.
func (i *injector) insertPath(request *http.Request, layout string) error {
	secret := fieldPattern.ReplaceAllStringFunc(layout, func(brace string) string {
		return url.PathEscape(i.account.fields[brace[1:len(brace)-1]])
	})
	escaped := request.URL.EscapedPath()
	parsed, err := url.Parse(i.account.base)
	if err != nil {
		return errSecretPath
	}
	shared := parsed.EscapedPath()
	escaped = shared + secret + strings.TrimPrefix(escaped, shared)
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return errSecretPath
	}
	request.URL.Path, request.URL.RawPath = path, escaped
	return nil
}

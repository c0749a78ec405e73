package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

// grantTime is how long a person has to say yes.
const grantTime = events.GrantsAge

// linkPrefix begins the name that a person's grant is known by on the way.
const linkPrefix = "lnk_"

// Grants remembers, for all gateways and for [events.GrantsAge], who was sent
// to connect an account. Implementations are safe for concurrent use.
type Grants interface {
	// Put keeps what an id stands for.
	Put(ctx context.Context, id string, value []byte) error
	// Take returns it to one of those who ask, and to nobody after that.
	Take(ctx context.Context, id string) (value []byte, found bool, err error)
}

// Connector has people let an application use their account at a provider.
// Implementations are safe for concurrent use.
type Connector interface {
	// Page is where a person says yes, or an error that wraps [ErrNotConnectable],
	// or [ErrUnfit] where the provider has no such scopes.
	Page(ctx context.Context, customer tenant.Tenant, page ConnectPage) (string, error)
	// Redeem makes a code the tenant's credential for the server, or fails with an
	// error that wraps [ErrUnfit] where the provider does not take the code.
	Redeem(ctx context.Context, customer tenant.Tenant, code ConnectCode) error
}

// ConnectPage is what a provider's page is asked for.
type ConnectPage struct {
	Server    string
	State     string
	Return    string // where the code goes: this gateway
	Challenge string // RFC 7636's, by S256
	Scopes    []string
}

// ConnectCode is what a person comes back with.
type ConnectCode struct {
	Server   string
	Code     string
	Return   string
	Verifier string
}

// Connecting is what people connect their accounts by.
type Connecting struct {
	Grants    Grants
	Connector Connector
	// PublicURL is where people find the gateway, without a slash at its end.
	PublicURL func() string
	// Redirects are where people may be sent once they have connected an account,
	// a URL without a query each. A path that ends in a slash stands for all below
	// it; loopback without a port for every port there. Defaults to nowhere.
	Redirects []string
}

func (c Connecting) validate() error {
	if c.Grants == nil || c.Connector == nil || c.PublicURL == nil {
		return errors.New("gateway: Connecting: Grants, Connector or PublicURL is missing")
	}
	return nil
}

// grant is who was sent to connect what, as it is remembered. It is of one
// tenant, server and environment; nothing in it is secret.
type grant struct {
	Tenant      tenant.ID          `json:"tenant"`
	Environment events.Environment `json:"environment"`
	Server      string             `json:"server"`
	Redirect    string             `json:"redirect"`
	Return      string             `json:"return"`
	Expires     time.Time          `json:"expires"`
}

type connectStartIn struct {
	Body struct {
		_        struct{} `json:"-" additionalProperties:"true"`
		ServerID string   `json:"server_id" minLength:"1" maxLength:"64"`
		UserID   string   `json:"user_id,omitempty" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
		Redirect string   `json:"redirect_uri" minLength:"1" maxLength:"2048" doc:"Where the person goes in the end: one of those that the operator allows."`
		Scopes   []string `json:"scopes,omitempty" maxItems:"64" doc:"What the application may do there; all that the server's tools need where left out."`
	}
}

type connectStartOut struct {
	Body struct {
		LinkToken    string `json:"link_token"`
		AuthorizeURL string `json:"authorize_url" doc:"The provider's page, at which the person says yes."`
		ExpiresAt    Moment `json:"expires_at"`
	}
}

type connectReturnIn struct {
	State string `query:"state" maxLength:"512"`
	Code  string `query:"code" maxLength:"4096"`
	Error string `query:"error" maxLength:"256"`
}

type connectReturnOut struct {
	Status   int
	Location string `header:"Location"`
	Referrer string `header:"Referrer-Policy"`
}

func (g *Gateway) connectRoutes() {
	const group = "connections"
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/connect/start", id: "connect-start", group: group,
		summary: "Begin to connect a person's account at a provider (OAuth 2)", scope: access.ScopeConnectionsWrite, faults: []int{http.StatusNotFound},
	}, g.connectStart)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/connect/return", id: "connect-return", group: group, status: http.StatusFound,
		summary: "Where the provider sends the person back to; sends them on with status=connected, or status=error and a reason",
	}, g.connectReturn)
}

func (g *Gateway) connectStart(ctx context.Context, caller access.Caller, in *connectStartIn) (*connectStartOut, error) {
	customer, err := g.customer(ctx, caller, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	server, ok := g.cfg.Directory.Server(ctx, customer, in.Body.ServerID)
	if !ok {
		return nil, problem(http.StatusNotFound, CodeNotFound, "there is no such server").at("/server_id")
	}
	if _, allowed := g.returns.allow(in.Body.Redirect); !allowed {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "is none of the places that the operator allows").at("/redirect_uri")
	}
	token := linkPrefix + rand.Text() + rand.Text()
	back := g.cfg.Connecting.PublicURL() + "/v1/connect/return"
	page, err := g.cfg.Connecting.Connector.Page(ctx, customer, ConnectPage{
		Server: server.ID, State: token, Return: back, Challenge: challengeOf(verifierOf(token)), Scopes: in.Body.Scopes,
	})
	switch {
	case errors.Is(err, ErrNotConnectable):
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest,
			"accounts of this server are not connected by a person's word, or the operator has no application there").at("/server_id")
	case errors.Is(err, ErrUnfit):
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "there is a scope that the server's tools have no use for").at("/scopes")
	case err != nil:
		return nil, worded(err)
	}
	sent := grant{
		Tenant: customer.ID, Environment: customer.Environment, Server: server.ID, Redirect: in.Body.Redirect, Return: back,
		Expires: g.cfg.Now().Add(grantTime).UTC(),
	}
	text, err := json.Marshal(sent)
	if err != nil {
		return nil, fmt.Errorf("laying out a grant: %w", err)
	}
	if err := g.cfg.Connecting.Grants.Put(ctx, grantID(token), text); err != nil {
		return nil, unsure(err, remedyAgain)
	}
	out := &connectStartOut{}
	out.Body.LinkToken, out.Body.AuthorizeURL, out.Body.ExpiresAt = token, page, momentOf(sent.Expires)
	return out, nil
}

// connectReturn takes a person back. Who comes with a state that nobody gave
// out, or that somebody came with before, is sent nowhere.
func (g *Gateway) connectReturn(ctx context.Context, _ access.Caller, in *connectReturnIn) (*connectReturnOut, error) {
	gone := problem(http.StatusBadRequest, CodeInvalidRequest, "this link has been used, or is too old: begin again where you came from").at("state")
	text, found, err := g.cfg.Connecting.Grants.Take(ctx, grantID(in.State))
	if err != nil {
		return nil, unsure(err, remedyLink)
	}
	var sent grant
	if !found || json.Unmarshal(text, &sent) != nil || !g.cfg.Now().Before(sent.Expires) {
		return nil, gone
	}
	to, allowed := g.returns.allow(sent.Redirect)
	if !allowed { // any more
		return nil, gone
	}
	said := to.Query()
	said.Set("server_id", sent.Server)
	if why := g.redeem(ctx, sent, in); why != "" {
		said.Set("status", "error")
		said.Set("error", why)
	} else {
		said.Set("status", "connected")
		said.Set("connection_id", connectionID(sent.Tenant, sent.Server, sent.Environment))
	}
	return &connectReturnOut{Status: http.StatusFound, Location: withQuery(to, said), Referrer: "no-referrer"}, nil
}

func withQuery(to *url.URL, query url.Values) string {
	whole := *to
	whole.RawQuery = query.Encode()
	return whole.String()
}

// oauthError is a provider's word for why not; what is none is not passed on.
var oauthError = regexp.MustCompile(`^[a-z_]{1,64}$`)

// redeem makes what a person came back with the tenant's credential, and
// returns why not where it cannot: a word, and nothing of what was sent.
func (g *Gateway) redeem(ctx context.Context, sent grant, in *connectReturnIn) string {
	switch {
	case in.Error != "" && oauthError.MatchString(in.Error):
		return in.Error
	case in.Error != "" || in.Code == "":
		return "provider_error"
	}
	customer, found, err := g.cfg.Tenants.Lookup(ctx, sent.Tenant)
	if err == nil && (!found || customer.Environment != sent.Environment) {
		return "tenant_not_found"
	}
	if err == nil {
		err = g.cfg.Connecting.Connector.Redeem(ctx, customer, ConnectCode{Server: sent.Server, Code: in.Code, Return: sent.Return, Verifier: verifierOf(in.State)})
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrUnfit):
		return "invalid_grant"
	default:
		g.cfg.Logger.WarnContext(ctx, "an account could not be connected", "request_id", requestID(ctx), "tenant", string(sent.Tenant), "server", sent.Server, "error", err)
		return "temporarily_unavailable"
	}
}

// grantID is what a grant is kept under: whoever reads the bucket cannot come
// back in a person's place.
func grantID(token string) string {
	sum := sha256.Sum256([]byte("feira/connect/grant\n" + token))
	return hex.EncodeToString(sum[:])
}

// verifierOf is RFC 7636's code verifier. It follows from the token, which only
// whoever was given the link has, so that no grant holds it.
func verifierOf(token string) string {
	sum := sha256.Sum256([]byte("feira/connect/verifier\n" + token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

package gateway

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"time"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// Address is where a connection's webhooks come in.
type Address struct {
	Lock      webhook.Lock
	CreatedAt time.Time
}

// Addresses keeps them, their keys under the tenant's own. Implementations are
// safe for concurrent use.
type Addresses interface {
	// Address of a tenant's server; false when there is none. It may be asked
	// often.
	Address(ctx context.Context, customer tenant.Tenant, server string) (Address, bool, error)
	// Put stores it in place of the one before.
	Put(ctx context.Context, customer tenant.Tenant, server string, address Address) error
	// Drop deletes it; dropping what is not there succeeds.
	Drop(ctx context.Context, customer tenant.Tenant, server string) error
}

// Bounds of an exchange of keys.
const (
	defaultKeep = 24 * time.Hour
	maxKeep     = 30 * 24 * time.Hour
)

// AddressRow is a webhook address as clients know it.
type AddressRow struct {
	ConnectionID string  `json:"connection_id"`
	ServerID     string  `json:"server_id"`
	Scheme       string  `json:"scheme" enum:"stripe,token,melhor-envio,path,standard,hmac" doc:"How the provider proves that a webhook is its own."`
	Path         string  `json:"path" doc:"Where the provider sends to, below the gateway's own address. Of the scheme path it is followed by a dot and the secret."`
	Header       string  `json:"header,omitempty" doc:"Of the scheme hmac: where the signature stands."`
	Secret       string  `json:"secret,omitempty" doc:"Told once, when it is made here. It is never shown again."`
	CreatedAt    Moment  `json:"created_at"`
	OldUntil     *Moment `json:"old_secret_until" nullable:"true" doc:"Until when the secret before this one is taken too; null when there is none."`
}

type addressIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Scheme string   `json:"scheme,omitempty" enum:"stripe,token,melhor-envio,path,standard,hmac" doc:"Of a server that Feira does not know; defaults to standard."`
		Header string   `json:"header,omitempty" maxLength:"64" doc:"Of the scheme hmac: where the signature stands. Defaults to X-Webhook-Signature."`
		Secret string   `json:"secret,omitempty" maxLength:"1024" doc:"The secret that the provider has chosen, where it is the one to choose. Left out, one is made."`
	}
}

type rotateIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Secret string   `json:"secret,omitempty" maxLength:"1024" doc:"The new secret, where the provider is the one to choose. Left out, one is made."`
		Keep   *int     `json:"keep_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"For how long the old secret is taken too. Defaults to a day."`
	}
}

type addressOut struct {
	Status int
	Body   AddressRow
}

func (g *Gateway) addressRoutes() {
	const group = "webhooks"
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/connections/{id}/webhook", id: "create-webhook-address", group: group, status: http.StatusCreated, also: []int{http.StatusOK},
		summary: "Make the address that a connection's provider sends webhooks to, or show it without its secret", scope: access.ScopeConnectionsWrite, faults: []int{http.StatusNotFound},
	}, g.createAddress)
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/connections/{id}/webhook/rotate", id: "rotate-webhook-address", group: group,
		summary: "Give a webhook address a new secret; the old one is taken for a while", scope: access.ScopeConnectionsWrite, faults: []int{http.StatusNotFound},
	}, g.rotateAddress)
}

var signatureHeader = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

func (g *Gateway) createAddress(ctx context.Context, caller access.Caller, in *addressIn) (*addressOut, error) {
	customer, row, err := g.connection(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	held, exists, err := g.cfg.Addresses.Address(ctx, customer, row.ServerID)
	if err != nil {
		return nil, worded(err)
	}
	if exists {
		return &addressOut{Status: http.StatusOK, Body: addressRow(row, held, "")}, nil
	}
	scheme := webhook.Scheme(in.Body.Scheme)
	if scheme == "" {
		scheme = webhook.SchemeOf(row.ServerID)
	}
	if !scheme.Fits(row.ServerID) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "%s proves its webhooks by %s", row.ServerID, webhook.SchemeOf(row.ServerID)).at("/scheme")
	}
	if in.Body.Header != "" && (scheme != webhook.SchemeHMAC || !signatureHeader.MatchString(in.Body.Header)) {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "want the name of a header, beside the scheme hmac").at("/header")
	}
	key, told, err := newAddressKey(scheme, in.Body.Secret)
	if err != nil {
		return nil, err
	}
	made := Address{Lock: webhook.Lock{Scheme: scheme, Header: in.Body.Header, Keys: []webhook.Key{{Text: key}}}, CreatedAt: g.cfg.Now().UTC()}
	if err := g.cfg.Addresses.Put(ctx, customer, row.ServerID, made); err != nil {
		return nil, unsure(err, remedyAddress)
	}
	g.doors.known.Remove(row.ID)
	return &addressOut{Status: http.StatusCreated, Body: addressRow(row, made, told)}, nil
}

func (g *Gateway) rotateAddress(ctx context.Context, caller access.Caller, in *rotateIn) (*addressOut, error) {
	customer, row, err := g.connection(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	held, exists, err := g.cfg.Addresses.Address(ctx, customer, row.ServerID)
	if err != nil {
		return nil, worded(err)
	}
	if !exists {
		return nil, problem(http.StatusNotFound, CodeNotFound, "the connection has no webhook address")
	}
	key, told, err := newAddressKey(held.Lock.Scheme, in.Body.Secret)
	if err != nil {
		return nil, err
	}
	keep := defaultKeep
	if in.Body.Keep != nil {
		keep = min(time.Duration(*in.Body.Keep)*time.Second, maxKeep)
	}
	keys := []webhook.Key{{Text: key}}
	if keep > 0 {
		keys = append(keys, webhook.Key{Text: held.Lock.Keys[0].Text, Until: g.cfg.Now().UTC().Add(keep)})
	}
	held.Lock.Keys = keys
	if err := g.cfg.Addresses.Put(ctx, customer, row.ServerID, held); err != nil {
		return nil, unsure(err, remedyOldAddress)
	}
	g.doors.known.Remove(row.ID)
	return &addressOut{Status: http.StatusOK, Body: addressRow(row, held, told)}, nil
}

// newAddressKey is the provider's secret, or one of ours, which is then told.
func newAddressKey(scheme webhook.Scheme, given string) (key, told string, err error) {
	if given != "" {
		if err := scheme.CheckKey(given); err != nil {
			return "", "", problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error()).at("/secret")
		}
		return given, "", nil
	}
	if scheme.Given() {
		return "", "", problem(http.StatusBadRequest, CodeInvalidRequest, "the provider chooses the secret: it has to be told here").at("/secret")
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", "", err
	}
	key = scheme.NewKey(random)
	return key, key, nil
}

func addressRow(row ConnectionRow, address Address, told string) AddressRow {
	shown := AddressRow{
		ConnectionID: row.ID, ServerID: row.ServerID, Scheme: string(address.Lock.Scheme), Header: address.Lock.Header,
		Path: "/v1/webhooks/" + row.ServerID + "/" + row.ID, Secret: told, CreatedAt: momentOf(address.CreatedAt),
	}
	if address.Lock.Scheme == webhook.SchemeHMAC && shown.Header == "" {
		shown.Header = webhook.DefaultHeader
	}
	if len(address.Lock.Keys) > 1 {
		shown.OldUntil = moment(address.Lock.Keys[1].Until)
	}
	return shown
}

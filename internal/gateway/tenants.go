package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

// newTenant is a tenant of which most has a default.
type newTenant tenant.Tenant

// TransformSchema implements [huma.SchemaTransformer].
func (newTenant) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Required = []string{"id", "servers"}
	schema.Properties["concurrency"].Default = tenant.DefaultConcurrency
	schema.Properties["weight"].Default = tenant.DefaultWeight
	schema.PrecomputeMessages()
	return schema
}

type tenantIn struct {
	Body newTenant
}

// TenantPath is the part of a path that names a tenant.
type TenantPath struct {
	ID string `path:"id" maxLength:"64" doc:"The tenant's id."`
}

type amendIn struct {
	TenantPath
	Body json.RawMessage `doc:"The fields to change, as in a tenant; id and environment cannot be."`
}

type tenantOut struct {
	Body tenant.Tenant
}

type tenantsOut struct {
	Body struct {
		Tenants []tenant.Tenant `json:"tenants"`
	}
}

type tenantGone struct {
	Body struct {
		Tenant      string `json:"tenant_id"`
		Credentials int    `json:"credentials" doc:"How many were destroyed with the tenant's keyset."`
	}
}

func (g *Gateway) tenantRoutes() {
	const group = "tenants"
	missing := []int{http.StatusNotFound}
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/tenants", id: "create-tenant", group: group, status: http.StatusCreated,
		summary: "Register a tenant", scope: access.ScopeTenantsWrite, faults: []int{http.StatusConflict},
	}, g.createTenant)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/tenants", id: "list-tenants", group: group, summary: "List tenants", scope: access.ScopeTenantsWrite,
	}, g.listTenants)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/tenants/{id}", id: "get-tenant", group: group, summary: "Show a tenant", scope: access.ScopeTenantsWrite, faults: missing,
	}, g.getTenant)
	serve(g, endpoint{
		method: http.MethodPatch, path: "/v1/tenants/{id}", id: "update-tenant", group: group,
		summary: "Change a tenant; sessions that are open keep their servers", scope: access.ScopeTenantsWrite, faults: missing,
	}, g.amendTenant)
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/tenants/{id}/pause", id: "pause-tenant", group: group,
		summary: "Start nothing of a tenant any more; what comes waits", scope: access.ScopeTenantsWrite, faults: missing,
	}, g.pauseTenant(true))
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/tenants/{id}/resume", id: "resume-tenant", group: group,
		summary: "Let a paused tenant start again", scope: access.ScopeTenantsWrite, faults: missing,
	}, g.pauseTenant(false))
	serve(g, endpoint{
		method: http.MethodDelete, path: "/v1/tenants/{id}", id: "delete-tenant", group: group,
		summary: "Delete a tenant, revoke its keys and destroy its credentials, for good", scope: access.ScopeTenantsWrite, faults: missing,
	}, g.deleteTenant)
}

func (g *Gateway) createTenant(ctx context.Context, caller access.Caller, in *tenantIn) (*tenantOut, error) {
	customer := tenant.Tenant(in.Body)
	if customer.Environment == "" {
		customer.Environment = caller.Key().Environment
	}
	if customer.Environment != caller.Key().Environment {
		return nil, problem(http.StatusForbidden, CodeForbidden, "the key is for environment %s", caller.Key().Environment).at("/environment")
	}
	customer = customer.WithDefaults()
	switch err := g.cfg.Registrar.Register(ctx, customer); {
	case errors.Is(err, ErrExists):
		return nil, problem(http.StatusConflict, CodeConflict, "there is a tenant of this id").at("/id")
	case err != nil:
		return nil, unsure(err, remedyTenant)
	}
	return &tenantOut{Body: customer}, nil
}

func (g *Gateway) listTenants(ctx context.Context, caller access.Caller, _ *struct{}) (*tenantsOut, error) {
	all, err := g.cfg.Registrar.List(ctx)
	if err != nil {
		return nil, worded(err)
	}
	out := &tenantsOut{}
	out.Body.Tenants = []tenant.Tenant{}
	for _, customer := range all {
		if caller.Reaches(customer.ID, customer.Environment) {
			out.Body.Tenants = append(out.Body.Tenants, customer)
		}
	}
	return out, nil
}

// reached is a tenant that the caller reaches.
func (g *Gateway) reached(ctx context.Context, caller access.Caller, text string) (tenant.Tenant, error) {
	missing := problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant")
	id, err := events.ParseTenantID(text)
	if err != nil {
		return tenant.Tenant{}, missing
	}
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, id)
	if err != nil {
		return tenant.Tenant{}, worded(err)
	}
	if !ok || !caller.Reaches(id, customer.Environment) {
		return tenant.Tenant{}, missing
	}
	return customer, nil
}

func (g *Gateway) getTenant(ctx context.Context, caller access.Caller, in *TenantPath) (*tenantOut, error) {
	customer, err := g.reached(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	return &tenantOut{Body: customer}, nil
}

func (g *Gateway) amendTenant(ctx context.Context, caller access.Caller, in *amendIn) (*tenantOut, error) {
	return g.amend(ctx, caller, in.ID, func(customer *tenant.Tenant) error {
		env := customer.Environment
		decoder := json.NewDecoder(bytes.NewReader(in.Body))
		decoder.DisallowUnknownFields() // a misspelt limit is not to be none
		if err := decoder.Decode(customer); err != nil {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "the body is not the fields of a tenant: %s", err.Error())
		}
		if customer.Environment != env {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "cannot be changed").at("/environment")
		}
		return nil
	})
}

func (g *Gateway) pauseTenant(paused bool) handler[TenantPath, tenantOut] {
	return func(ctx context.Context, caller access.Caller, in *TenantPath) (*tenantOut, error) {
		return g.amend(ctx, caller, in.ID, func(customer *tenant.Tenant) error {
			customer.Paused = paused
			return nil
		})
	}
}

func (g *Gateway) amend(ctx context.Context, caller access.Caller, id string, change func(*tenant.Tenant) error) (*tenantOut, error) {
	customer, err := g.reached(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	changed, ok, err := g.cfg.Registrar.Amend(ctx, customer.ID, change)
	if err != nil {
		return nil, unsure(err, remedyAgain)
	}
	if !ok {
		return nil, problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant")
	}
	return &tenantOut{Body: changed}, nil
}

func (g *Gateway) deleteTenant(ctx context.Context, caller access.Caller, in *TenantPath) (*tenantGone, error) {
	customer, err := g.reached(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	destroyed, found, err := g.cfg.Registrar.Delete(ctx, customer.ID)
	if err != nil {
		return nil, unsure(err, remedyAgain)
	}
	if !found {
		return nil, problem(http.StatusNotFound, CodeTenantNotFound, "there is no such tenant")
	}
	out := &tenantGone{}
	out.Body.Tenant, out.Body.Credentials = string(customer.ID), destroyed
	return out, nil
}

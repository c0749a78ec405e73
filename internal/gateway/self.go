package gateway

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// Whoami is what a key says of its holder.
type Whoami struct {
	Organization named  `json:"organization"`
	Project      named  `json:"project"`
	Tenant       string `json:"tenant,omitempty"`
	Key          struct {
		ID          string             `json:"id"`
		Name        string             `json:"name"`
		Environment events.Environment `json:"environment"`
		Scopes      []string           `json:"scopes"`
	} `json:"key"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type whoamiOut struct{ Body Whoami }

type healthOut struct {
	Body struct {
		Status string `json:"status"`
	}
}

func (g *Gateway) selfRoutes() {
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/whoami", id: "whoami", group: "keys", summary: "Show whose key this is", scope: access.ScopeSessionsRead,
	}, g.whoami)
	serve(g, endpoint{method: http.MethodGet, path: "/health", id: "health", group: "operations", summary: "Say that the process lives"}, g.health)
}

func (g *Gateway) whoami(ctx context.Context, caller access.Caller, _ *struct{}) (*whoamiOut, error) {
	key := caller.Key()
	out := &whoamiOut{}
	out.Body.Organization = named{ID: orgID, Name: "Feira"}
	out.Body.Project = named{ID: g.project(ctx, caller), Name: "default"}
	out.Body.Tenant = string(key.Tenant)
	out.Body.Key.ID, out.Body.Key.Name, out.Body.Key.Environment = string(key.ID), key.Name, key.Environment
	out.Body.Key.Scopes = []string{}
	for _, scope := range key.Scopes {
		out.Body.Key.Scopes = append(out.Body.Key.Scopes, string(scope))
	}
	return out, nil
}

func (g *Gateway) health(context.Context, access.Caller, *struct{}) (*healthOut, error) {
	out := &healthOut{}
	out.Body.Status = "ok"
	return out, nil
}

const securityKey = "key"

// apiVersion is that of the protocol, which the paths begin with.
const apiVersion = "v1"

// document is the OpenAPI document before the endpoints. Nothing is added to
// answers, which clients compare byte for byte.
func document(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Feira", Version: cmp.Or(version, apiVersion),
				Description: "One commerce agent per customer of your SaaS. Applications written for CodeSpar run on it by changing one base URL.",
			},
			Components: &huma.Components{
				Schemas:         newSchemas(),
				SecuritySchemes: map[string]*huma.SecurityScheme{securityKey: {Type: "http", Scheme: "bearer", BearerFormat: "csk"}},
			},
		},
		Formats: map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}, DefaultFormat: "application/json",
	}
}

package walls

import (
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
)

// without takes the override off, so that the manifest's own hosts count.
func without(c *provider.Config) { c.BaseURLs = nil }

// asStripe asks Stripe, whose keys tell their environment, with a key.
func asStripe(key string, environment events.Environment, says string) attempt {
	return attempt{
		server: "stripe",
		change: func(c *provider.Config) { c.Credentials = fields{"secret_key": key} },
		visit:  func(v *visit) { v.name, v.arguments, v.environment = "stripe__retrieve_balance", `{}`, environment },
		status: events.ToolRefused, code: events.FaultNoCredential, says: says,
	}
}

func tenantWalls() map[string]attempt {
	const refused, none = events.ToolRefused, events.FaultNoCredential
	return map[string]attempt{
		"another tenant's credential": {
			change: func(c *provider.Config) {
				c.Credentials = opener(func(tenant events.TenantID) (provider.Credential, error) {
					if tenant != "acme" {
						return nil, fmt.Errorf("opening: %w", provider.ErrNoCredential)
					}
					return fields{"key": "open-key-0001"}, nil
				})
			},
			visit:  func(v *visit) { v.tenant.ID = "rival" },
			status: refused, code: none, says: "there is no test credential for Open",
		},
		"a credential that opens for nobody": {
			change: func(c *provider.Config) {
				c.Credentials = opener(func(events.TenantID) (provider.Credential, error) {
					return nil, errors.New("sealed with sk_live_51Habc")
				})
			},
			status: refused, code: none, says: "cannot be opened",
		},
		"an environment without a host": {
			change: without, status: refused, code: none, says: "has no test environment",
		},
		"an environment that is none": {
			change: without,
			past:   func(c *agent.Call) { c.Environment = "staging" },
			status: refused, code: none, says: "has no staging environment",
		},
		"a live key in a test session": asStripe("sk_live_51Habc", events.EnvironmentTest,
			"field secret_key of the credential is not one for the test environment"),
		"a test key in a live session": asStripe("sk_test_51Habc", events.EnvironmentLive, "is not one for the live environment"),
	}
}

func argumentWalls() map[string]attempt {
	const refused, code = events.ToolRefused, events.FaultInvalidArguments
	invalid := func(arguments, says string) attempt {
		return attempt{visit: func(v *visit) { v.arguments = arguments }, status: refused, code: code, says: says}
	}
	return map[string]attempt{
		"half a document":             invalid(`{"id":`, "no JSON object"),
		"a list":                      invalid(`["1"]`, "no JSON object"),
		"a text":                      invalid(`"id"`, "no JSON object"),
		"null":                        invalid(`null`, "no JSON object"),
		"two objects":                 invalid(`{"id":"1"}{"id":"2"}`, "no JSON object"),
		"no argument":                 invalid(`{}`, "is missing id"),
		"an argument of another kind": invalid(`{"id":7}`, "/id: want string, got number"),
		"an argument too many":        invalid(`{"id":"1","host":"x"}`, "has no place for host"),
		"a path that climbs":          invalid(`{"id":"../../admin"}`, "/id: cannot stand in a path"),
		"a path that climbs unseen":   invalid(`{"id":"%2e%2e"}`, "/id: cannot stand in a path"),
		"a line break":                invalid(`{"id":"1\r\nHost: x"}`, "/id: cannot stand in a path"),
		"arguments above the limit": {
			past: func(c *agent.Call) {
				c.Arguments = append(append([]byte(`{"id":"`), make([]byte, events.MaxEventBytes)...), `"}`...)
			},
			status: refused, code: code, says: "bytes, at most",
		},
	}
}

package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Provider says where providers are.
type Provider struct {
	// URLs overrides the base address of a server's provider, for sandboxes and
	// tests: server=URL, separated by semicolons. Servers that are not listed
	// keep the address of their manifest.
	URLs map[string]string `name:"urls" help:"Base address by server, as server=URL;server=URL." env:"FEIRA_PROVIDER_URLS"`
	// Timeout bounds one call, all tries and waits together. Defaults to 30 s.
	Timeout time.Duration `name:"timeout" help:"Bound of one call, all tries together." env:"FEIRA_PROVIDER_TIMEOUT" default:"30s"`
}

// WithDefaults fills what was left out.
func (p Provider) WithDefaults() Provider {
	fill(&p.Timeout, 30*time.Second)
	return p
}

func (p Provider) faults() faults {
	var faults faults
	for _, server := range slices.Sorted(maps.Keys(p.URLs)) {
		field := fmt.Sprintf("urls[%q]", server)
		if server == "" {
			faults.add(field, errors.New("names no server"))
		}
		faults.add(field, checkURL(p.URLs[server], "https", "http"))
	}
	faults.add("timeout", checkDuration(p.Timeout, 100*time.Millisecond, 10*time.Minute))
	return faults
}

// Vault keeps the tenants' credentials, sealed.
type Vault struct {
	// KEK is the file of the key that wraps every tenant's keyset. Empty: a
	// file in the data folder, made at the first start of "feira dev".
	KEK string `name:"kek" help:"File of the key that wraps every tenant's keyset." env:"FEIRA_VAULT_KEK" type:"path"`
}

// Ledger is the billing store.
type Ledger struct {
	// DSN is a Postgres URL, or the path of an SQLite file. It may hold a
	// password. Empty: an SQLite file in the data folder.
	DSN Redacted `name:"dsn" help:"Postgres URL or path of an SQLite file; better set by the environment." env:"FEIRA_LEDGER_DSN"`
	// RateCard is a YAML file of prices and costs. Empty: usage is counted and
	// not priced.
	RateCard string `name:"rate-card" help:"YAML file of prices and costs." env:"FEIRA_LEDGER_RATE_CARD" type:"path"`
}

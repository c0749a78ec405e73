package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
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
	// KEK is the key that wraps every tenant's keyset: a path or file://PATH,
	// hcvault://HOST/MOUNT/keys/NAME, aws-kms://ARN or gcp-kms://NAME. Empty: the
	// file kek.json in the data folder, made at the first start.
	KEK string `name:"kek" help:"Key that wraps every tenant's keyset: a file, or the URI of a key service." env:"FEIRA_VAULT_KEK"`
	// OtherKEKs unwrap what KEK did not wrap: those of before, and one to go to.
	OtherKEKs []string `name:"other-keks" help:"Keys that may have wrapped keysets before, or will." env:"FEIRA_VAULT_OTHER_KEKS"`
	// AuditAge is how long the records of decryptions are kept, as the audit's
	// stream is made; one that is there keeps its own. Defaults to 400 days.
	AuditAge time.Duration `name:"audit-age" help:"How long records of decryptions are kept." env:"FEIRA_VAULT_AUDIT_AGE" default:"9600h"`
}

// WithDefaults fills what was left out.
func (v Vault) WithDefaults() Vault {
	fill(&v.AuditAge, 9600*time.Hour)
	return v
}

// ForeignSecrets are the variables from which the clients of key services take
// secrets by themselves. Feira reads them for nothing but to keep their values
// out of what it prints.
func ForeignSecrets() []string {
	return []string{
		"VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	}
}

func (v Vault) faults() faults {
	const century = 100 * 365 * 24 * time.Hour
	var faults faults
	faults.add("kek", checkKEK(v.KEK))
	for i, kek := range v.OtherKEKs {
		field := fmt.Sprintf("other_keks[%d]", i)
		if kek == "" {
			faults.add(field, errMissing)
		}
		faults.add(field, checkKEK(kek))
	}
	faults.add("audit_age", checkDuration(v.AuditAge, 24*time.Hour, century))
	return faults
}

// checkKEK says what is wrong with a key's URI, never quoting it. Whether it
// names a key is for the vault to say.
func checkKEK(text string) error {
	if !strings.Contains(text, "://") {
		return nil // the path of a file
	}
	scheme, _, _ := strings.Cut(text, "://")
	if !slices.Contains([]string{"file", "hcvault", "aws-kms", "gcp-kms"}, scheme) {
		return errors.New("has another scheme than file, hcvault, aws-kms, gcp-kms")
	}
	if address, err := url.Parse(text); err == nil && address.User != nil {
		return errors.New("holds a user or a password, which would be stored")
	}
	return nil
}

// Ledger is the billing store.
type Ledger struct {
	// DSN is a Postgres URL, or the path of an SQLite file. It may hold a
	// password. Empty: an SQLite file in the data folder.
	DSN Redacted `name:"dsn" help:"Postgres URL or path of an SQLite file; better set by the environment." env:"FEIRA_LEDGER_DSN"`
	// RateCard is a YAML file of prices, which alone bill then; the scheduler counts
	// budgets of money by it, too. Empty: the cards that were applied to the ledger.
	RateCard string `name:"rate-card" help:"YAML file of prices and costs." env:"FEIRA_LEDGER_RATE_CARD" type:"path"`
}

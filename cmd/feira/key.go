package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// keyCommand is "feira key".
type keyCommand struct {
	Create keyCreate `cmd:"" help:"Make an API key and print it, this once."`
	List   keyList   `cmd:"" help:"List API keys, without their secrets."`
	Revoke keyRevoke `cmd:"" help:"Have a key refused from now on."`
}

type keyCreate struct {
	Tenant  events.TenantID `help:"Tenant that the key reaches. Without it, the key is the platform's and reaches all of its environment."`
	Test    bool            `xor:"environment" help:"For the test environment: the default, unless the tenant is live."`
	Live    bool            `xor:"environment" help:"For the live environment."`
	Scope   []string        `placeholder:"SCOPE" help:"What the key may do, such as tools:execute, or * for all. Defaults to all that an application needs."`
	Project string          `help:"Project that the key is pinned to: prj_ and sixteen letters or digits."`
	Name    string          `help:"What people call the key. Defaults to the tenant, or platform."`
	Expires string          `help:"When the key ends: after so many days (90d), hours (12h) or at a moment (RFC 3339). Defaults to never."`
}

// Run prints the full key on standard output and nothing else, so that it can
// be put where it belongs without passing a screen.
func (c *keyCreate) Run(i *invocation) error {
	params, err := c.params(time.Now())
	if err != nil {
		return err
	}
	o := i.operator()
	defer o.Close()
	key, secret, err := o.CreateKey(i.ctx, params)
	if err != nil {
		return err
	}
	if i.json {
		row := newKeyRow(key)
		row.FullKey = secret.Reveal()
		return writeJSON(i.out, row)
	}
	say(i.out, "%s", secret.Reveal())
	say(i.err, "created %s (%s, %s, %s); it is not shown again", key.ID, ownerOf(key), key.Environment, joinScopes(key))
	return nil
}

func (c *keyCreate) params(now time.Time) (access.MintParams, error) {
	scopes, err := access.ParseScopes(c.Scope)
	if err != nil {
		return access.MintParams{}, err
	}
	expires, err := parseExpiry(c.Expires, now)
	if err != nil {
		return access.MintParams{}, err
	}
	params := access.MintParams{
		Name: c.Name, Tenant: c.Tenant, Project: access.Project(c.Project), Scopes: scopes, ExpiresAt: expires,
	}
	switch {
	case c.Live:
		params.Environment = events.EnvironmentLive
	case c.Test:
		params.Environment = events.EnvironmentTest
	}
	if params.Name == "" {
		params.Name = ownerOf(access.Key{Tenant: c.Tenant})
	}
	return params, nil
}

// maxDays is a hundred years: what is longer was meant as never.
const maxDays = 36_500

// parseExpiry reads a span from now or a moment; "" is never.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if count, err := strconv.Atoi(days); err == nil && count > 0 && count <= maxDays {
			return now.AddDate(0, 0, count), nil
		}
	}
	if span, err := time.ParseDuration(text); err == nil && span > 0 {
		return now.Add(span), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && at.After(now) {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("expires is %q, want days (90d), hours (12h) or a moment to come (%s)", text, time.RFC3339)
}

type keyList struct {
	Tenant events.TenantID `help:"Only this tenant's."`
}

func (c *keyList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	keys, err := o.Keys(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	rows := make([]keyRow, len(keys))
	for n, key := range keys {
		rows[n] = newKeyRow(key)
	}
	return i.show(map[string]any{"keys": rows}, func(w io.Writer) { writeTable(w, keyColumns(), keys) })
}

func keyColumns() []column[access.Key] {
	return []column[access.Key]{
		{"KEY", func(k access.Key) string { return string(k.ID) }},
		{"PREFIX", func(k access.Key) string { return k.Prefix }},
		{"NAME", func(k access.Key) string { return oneLine(k.Name) }},
		{"REACHES", ownerOf},
		{"SCOPES", joinScopes},
		{"CREATED", func(k access.Key) string { return moment(k.CreatedAt) }},
		{"EXPIRES", func(k access.Key) string { return moment(k.ExpiresAt) }},
		{"LAST USED", func(k access.Key) string { return moment(k.LastUsedAt) }},
		{"REVOKED", func(k access.Key) string { return moment(k.RevokedAt) }},
	}
}

type keyRevoke struct {
	Key string `arg:"" help:"Key to revoke, by its id: key_..."`
}

func (c *keyRevoke) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	key, err := o.RevokeKey(i.ctx, c.Key)
	if err != nil {
		return err
	}
	return i.show(newKeyRow(key), func(w io.Writer) { say(w, "revoked %s (%s)", key.ID, key.Prefix) })
}

// keyRow is a key as JSON tells it: CodeSpar's fields, with nulls where it has
// them, and then Feira's.
type keyRow struct {
	ID         access.ID          `json:"id"`
	Name       string             `json:"name"`
	Prefix     string             `json:"prefix"`
	FullKey    string             `json:"full_key,omitempty"`
	CreatedAt  time.Time          `json:"created_at"`
	RevokedAt  *time.Time         `json:"revoked_at"`
	LastUsedAt *time.Time         `json:"last_used_at"`
	ExpiresAt  *time.Time         `json:"expires_at"`
	Env        events.Environment `json:"environment"`
	Tenant     events.TenantID    `json:"tenant,omitempty"`
	Project    access.Project     `json:"project,omitempty"`
	Scopes     []access.Scope     `json:"scopes"`
}

func newKeyRow(key access.Key) keyRow {
	return keyRow{
		ID: key.ID, Name: key.Name, Prefix: key.Prefix, CreatedAt: key.CreatedAt, RevokedAt: orNull(key.RevokedAt),
		LastUsedAt: orNull(key.LastUsedAt), ExpiresAt: orNull(key.ExpiresAt), Env: key.Environment,
		Tenant: key.Tenant, Project: key.Project, Scopes: key.Scopes,
	}
}

// orNull makes null of no time.
func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// ownerOf is whom a key reaches.
func ownerOf(key access.Key) string {
	if key.Tenant == "" {
		return "platform"
	}
	return string(key.Tenant)
}

func joinScopes(key access.Key) string {
	names := make([]string, len(key.Scopes))
	for n, scope := range key.Scopes {
		names[n] = string(scope)
	}
	return strings.Join(names, " ")
}

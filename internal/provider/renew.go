package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// Fields of a credential that is renewed.
const (
	FieldAccessToken  = "access_token"
	FieldRefreshToken = "refresh_token"
	// FieldExpiresAt is the end of the access token, RFC 3339.
	FieldExpiresAt = "expires_at"
	// FieldRenewingUntil is a claim: until then somebody else renews it.
	FieldRenewingUntil = "renewing_until"
	// FieldRefusedAt is when the provider refused, for good, to renew it.
	FieldRefusedAt = "renewal_refused_at"
)

const (
	// renewClaim is how long a claim lasts: longer than renewTimeout, which its
	// holder takes at most, since a refresh token that two present may cost the
	// account its connection.
	renewClaim   = time.Minute
	renewTimeout = 40 * time.Second
	renewPoll    = 250 * time.Millisecond
	keepTries    = 5
	// refusedPause is how long a provider that has refused for good is not asked
	// again: whoever calls meanwhile has the same answer.
	refusedPause = 15 * time.Minute
)

// Renewal is a credential that takes the place of another.
type Renewal struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// Was is the one before, as Open or Replace gave it; nil is any, or none.
	Was Credential
	// Fields are all of the new one.
	Fields map[string]string
}

// Renewals stores renewed credentials where [Credentials] opens them.
// Replace writes only if Was is still what is stored, and wraps [ErrReplaced]
// if anything else is, or nothing; of any number of callers with the same Was,
// in any number of processes, one succeeds. It gives the credential as it is
// stored then, which can be the Was of the next. When it returns, each Open
// anywhere finds the new one. Any other error leaves it open whether the new
// one was written. Implementations are safe for concurrent use, and put no
// secret into an error.
type Renewals interface {
	Replace(ctx context.Context, renewal Renewal) (Credential, error)
}

// due reports whether the credential is to be renewed and can be. One whose end
// nobody has told is renewed, which tells it.
func (a *account) due(ctx context.Context) bool {
	spec := a.server.manifest.Auth.Refresh
	if spec == nil || a.client.config.Renewals == nil || a.fields[FieldRefreshToken] == "" {
		return false // an access token alone
	}
	if a.barred() {
		return false
	}
	if end, ok := a.end(FieldExpiresAt); ok && a.client.config.Now().Add(time.Duration(spec.Before)).Before(end) {
		return false
	}
	if err := a.borrow(ctx); err != nil {
		a.client.config.Logger.ErrorContext(ctx, "registration cannot be opened", "server", a.server.manifest.ID, "error", a.scrubber.Scrub(err.Error()))
		return false
	}
	for _, layout := range []map[string]string{spec.Form, spec.JSON} {
		if len(a.fillAll(layout)) < len(layout) {
			return false // nobody's application
		}
	}
	return true
}

// usable reports whether the access token may still be good.
func (a *account) usable() bool {
	end, ok := a.end(FieldExpiresAt)
	return !ok || a.client.config.Now().Before(end)
}

// barred reports whether the provider has refused lately to renew the tokens.
func (a *account) barred() bool {
	refused, ok := a.end(FieldRefusedAt)
	return ok && a.client.config.Now().Before(refused.Add(refusedPause))
}

// lost is the fault of an account that only a person can mend; nil while its
// token lasts.
func (a *account) lost() *events.ToolFault {
	if a.usable() || !a.barred() {
		return nil
	}
	return a.disconnected()
}

func (a *account) disconnected() *events.ToolFault {
	name := a.server.manifest.Name
	return &events.ToolFault{Code: events.FaultNoCredential, Message: name + ": the access token has ended and " + name + " does not renew it; the account has to be connected again"}
}

// claimed reports whether somebody else is renewing the credential.
func (a *account) claimed() bool {
	end, ok := a.end(FieldRenewingUntil)
	return ok && a.client.config.Now().Before(end)
}

func (a *account) end(field string) (time.Time, bool) {
	end, err := time.Parse(time.RFC3339, a.fields[field])
	return end, err == nil
}

// Renew renews a tenant's credential if it is time, as a call would do that
// uses it. It is nil when there is nothing to do or another does it, and wraps
// [ErrRefused] when the account has to be connected again.
func (c *Client) Renew(ctx context.Context, tenant events.TenantID, server string, env events.Environment) error {
	on, ok := c.servers[server]
	if !ok {
		return fmt.Errorf("renewing a credential of %s: %w", hostile.Shown(server), ErrUnknownServer)
	}
	err := c.shareRenewal(ctx, on, agent.Call{Tenant: tenant, Server: server, Environment: env})
	if refusedToken(err) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return fmt.Errorf("renewing a credential of %s: %w", on.manifest.Name, err)
	}
	return nil
}

// shareRenewal renews a credential, once for all of this process that ask.
func (c *Client) shareRenewal(ctx context.Context, on *server, call agent.Call) error {
	place := string(call.Tenant) + "|" + call.Server + "|" + string(call.Environment)
	// The renewal outlives the call that began it: its result must be stored.
	done := c.renewing.DoChan(place, func() (any, error) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewClaim+renewTimeout)
		defer cancel()
		return nil, c.renew(within, on, call)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-done:
		return result.Err
	}
}

// renewed renews a credential and opens it again. Where that fails, the old one
// does as long as it lasts.
func (c *Client) renewed(ctx context.Context, old *account, call agent.Call) (*account, *events.ToolFault) {
	err := c.shareRenewal(ctx, old.server, call)
	if err == nil {
		opened, fault := c.open(ctx, old.server, call)
		if fault == nil {
			fault = opened.lost() // another has asked in vain
		}
		return opened, fault
	}
	c.config.Logger.WarnContext(ctx, "credential cannot be renewed", append(attributes(call), "error", old.scrubber.Scrub(err.Error()))...)
	if old.usable() {
		return old, nil
	}
	if refusedToken(err) {
		return nil, old.disconnected()
	}
	return nil, &events.ToolFault{Code: events.FaultProviderError, Message: old.server.manifest.Name + ": the access token has ended and could not be renewed just now; nothing was sent" + egress.TryAgain(renewClaim)}
}

// renew claims the credential, so that no other worker presents its refresh
// token, exchanges it, and stores what it got. It returns when the credential
// is renewed, by whomever, or when another does it and the old one still lasts.
func (c *Client) renew(ctx context.Context, on *server, call agent.Call) error {
	for {
		opened, fault := c.open(ctx, on, call)
		switch {
		case fault != nil:
			return errors.New(fault.Message)
		case !opened.due(ctx), opened.claimed() && opened.usable():
			return nil
		case opened.claimed():
			if err := c.config.Wait(ctx, renewPoll); err != nil {
				return fmt.Errorf("waiting for another's renewal: %w", err)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("waiting for another's renewal: %w", ctx.Err())
			}
			continue
		}
		claim := maps.Clone(opened.fields)
		claim[FieldRenewingUntil] = c.config.Now().Add(renewClaim).UTC().Format(time.RFC3339)
		was, err := c.config.Renewals.Replace(ctx, renewalOf(call, opened.credential, claim))
		switch {
		case err == nil:
			return opened.present(ctx, call, was)
		case !errors.Is(err, ErrReplaced):
			return fmt.Errorf("claiming the renewal: %w", err)
		}
	}
}

func renewalOf(call agent.Call, was Credential, fields map[string]string) Renewal {
	return Renewal{Tenant: call.Tenant, Server: call.Server, Environment: call.Environment, Was: was, Fields: fields}
}

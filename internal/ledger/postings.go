package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/money"
)

// post books a transaction, once: its key is unique within the tenant. One that
// does not sum to zero is refused.
func (l *Ledger) post(ctx context.Context, tx *transaction, tenant events.TenantID, transaction invoice.Transaction) error {
	if err := transaction.Check(); err != nil {
		return err
	}
	statement := l.dialect.insert("INSERT INTO postings (tenant_id, transaction_key, place, account, currency, amount, booked_at) ", 7, 1, ifNew)
	for place, posting := range transaction.Postings {
		_, err := tx.ExecContext(ctx, statement, string(tenant), transaction.Key, int64(place), string(posting.Account), string(posting.Currency),
			money.Plain(posting.Amount), nanos(l.now()))
		if err != nil {
			return fmt.Errorf("booking %s: %w", transaction.Key, err)
		}
	}
	return nil
}

// Balance is what all postings of a tenant's account come to.
type Balance struct {
	Account  invoice.Account `json:"account"`
	Currency money.Currency  `json:"currency"`
	Amount   string          `json:"amount"`
}

// Balances are a tenant's accounts. Those of one currency sum to zero.
func (l *Ledger) Balances(ctx context.Context, tenant events.TenantID) ([]Balance, error) {
	var balances []Balance
	sums := map[Balance]*apd.Decimal{}
	exact := money.Exact()
	statement := l.dialect.bind("SELECT account, currency, amount FROM postings WHERE tenant_id = ? ORDER BY account, currency")
	err := l.list(ctx, tenant, statement, []any{string(tenant)}, func(found scanner) error {
		var key Balance
		var text string
		if err := found.Scan(&key.Account, &key.Currency, &text); err != nil {
			return err
		}
		amount, _, err := apd.NewFromString(text)
		if err != nil {
			return fmt.Errorf("%w: %q", money.ErrInvalid, text)
		}
		if sums[key] == nil {
			sums[key] = new(apd.Decimal)
			balances = append(balances, key)
		}
		_, err = exact.Add(sums[key], sums[key], amount)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("adding up accounts: %w", err)
	}
	balances = slices.Clip(balances)
	for i, key := range balances {
		balances[i].Amount = money.Plain(sums[key])
	}
	return balances, nil
}

// Grant keeps prepaid credit of a tenant and books it. A grant's id makes it
// happen once: the same grant again does nothing, another one with its id is
// [ErrGrantExists].
func (l *Ledger) Grant(ctx context.Context, grant invoice.Grant) error {
	if err := grant.Validate(); err != nil {
		return fmt.Errorf("granting credit: %w", err)
	}
	err := l.write(ctx, func(tx *transaction) error {
		statement := l.dialect.insert("INSERT INTO credit_grants (tenant_id, grant_id, currency, minor, granted_at, expires_at) ", 6, 1, ifNew)
		inserted, err := affected(tx.ExecContext(ctx, statement, string(grant.Tenant), grant.ID, string(grant.Amount.Currency()), grant.Amount.Minor(),
			nanos(grant.GrantedAt), nanos(grant.ExpiresAt)))
		if err != nil {
			return err
		}
		if inserted == 1 {
			return l.post(ctx, tx, grant.Tenant, grant.Transaction())
		}
		held, err := l.grantsOf(ctx, tx, grant.Tenant)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(held, func(kept invoice.Grant) bool {
			return kept.ID == grant.ID && kept.Amount == grant.Amount && kept.ExpiresAt.Equal(grant.ExpiresAt)
		}) {
			return fmt.Errorf("%w: %s", ErrGrantExists, grant.ID)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("granting credit: %w", err)
	}
	return nil
}

// Grants are a tenant's prepaid credit.
func (l *Ledger) Grants(ctx context.Context, tenant events.TenantID) (grants []invoice.Grant, err error) {
	err = l.read(ctx, tenant, func(tx *transaction) error {
		grants, err = l.grantsOf(ctx, tx, tenant)
		return err
	})
	return grants, err
}

func (l *Ledger) grantsOf(ctx context.Context, tx *transaction, tenant events.TenantID) ([]invoice.Grant, error) {
	var grants []invoice.Grant
	statement := l.dialect.bind("SELECT grant_id, currency, minor, granted_at, expires_at FROM credit_grants WHERE tenant_id = ? ORDER BY granted_at, grant_id")
	found, err := tx.QueryContext(ctx, statement, string(tenant))
	err = scanAll(found, err, func(row scanner) error {
		grant := invoice.Grant{Tenant: tenant}
		var currency money.Currency
		var minor, grantedAt, expiresAt int64
		if err := row.Scan(&grant.ID, &currency, &minor, &grantedAt, &expiresAt); err != nil {
			return err
		}
		grant.GrantedAt, grant.ExpiresAt = fromNanos(grantedAt), fromNanos(expiresAt)
		var err error
		grant.Amount, err = money.New(minor, currency)
		grants = append(grants, grant)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing credit: %w", err)
	}
	return grants, nil
}

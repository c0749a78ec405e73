package invoice

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
)

// Grant is prepaid credit of a tenant.
type Grant struct {
	ID     string
	Tenant events.TenantID
	Amount money.Amount
	// GrantedAt and ExpiresAt bound the credit; a zero ExpiresAt is never. It
	// pays for a period that it overlaps.
	GrantedAt time.Time
	ExpiresAt time.Time
}

// Validate joins every fault, each naming its field.
func (g Grant) Validate() error {
	var faults []error
	if g.ID == "" || len(g.ID) > maxGrantID {
		faults = append(faults, fmt.Errorf("%w: id has %d bytes, want 1 to %d", ErrInvalidGrant, len(g.ID), maxGrantID))
	}
	if g.Amount.Minor() <= 0 {
		faults = append(faults, fmt.Errorf("%w: amount is %s, want more than nothing", ErrInvalidGrant, g.Amount))
	}
	if !g.ExpiresAt.IsZero() && !g.GrantedAt.Before(g.ExpiresAt) {
		faults = append(faults, fmt.Errorf("%w: expires_at is not after granted_at", ErrInvalidGrant))
	}
	return errors.Join(faults...)
}

const maxGrantID = 128

func (g Grant) overlaps(period Period) bool {
	return g.GrantedAt.Before(period.To) && (g.ExpiresAt.IsZero() || g.ExpiresAt.After(period.From))
}

// compareGrants puts first what expires first.
func compareGrants(a, b Grant) int {
	if a.ExpiresAt.IsZero() != b.ExpiresAt.IsZero() {
		if a.ExpiresAt.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), a.GrantedAt.Compare(b.GrantedAt), cmp.Compare(a.ID, b.ID))
}

// Left is what documents have left of a grant.
func (g Grant) Left(issued []Invoice) (money.Amount, error) {
	left := g.Amount
	for _, document := range issued {
		for _, credit := range document.Credits {
			if credit.Grant != g.ID {
				continue
			}
			spent, err := money.Parse(credit.Amount, g.Amount.Currency())
			if err != nil {
				return left, fmt.Errorf("invoice %s: %w", document.ID, err)
			}
			if left, err = left.Add(spent.Negate()); err != nil {
				return left, err
			}
		}
	}
	return left, nil
}

// spend pays a subtotal from prepaid credit of its currency, what expires first
// first, and returns what is left to pay.
func (i *Invoice) spend(subtotal money.Amount, params Params) (money.Amount, error) {
	total := subtotal
	for _, grant := range slices.SortedFunc(slices.Values(params.Grants), compareGrants) {
		if total.Minor() <= 0 {
			return total, nil
		}
		if grant.Amount.Currency() != i.Currency || !grant.overlaps(params.Own.Period) {
			continue
		}
		left, err := grant.Left(params.Issued)
		if err != nil {
			return total, err
		}
		paid, err := money.New(min(left.Minor(), total.Minor()), i.Currency)
		if err != nil {
			return total, err
		}
		if paid.Minor() <= 0 {
			continue
		}
		i.Credits = append(i.Credits, Credit{Grant: grant.ID, Amount: paid.Text()})
		if total, err = total.Add(paid.Negate()); err != nil {
			return total, err
		}
	}
	return total, nil
}

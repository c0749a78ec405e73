package fair_test

import (
	"math/big"

	"github.com/feira-dev/feira/internal/fair"
)

// inHand is how many tokens of its rate the tenant has now.
func (t *modelTenant) inHand(now int64) *big.Rat {
	back := big.NewRat((now-t.metered)*int64(t.limits.Rate), t.limits.Period.Microseconds())
	return lesser(back.Add(back, t.tokens), t.limits.Burst)
}

func (t *modelTenant) overRate(now int64) bool {
	return t.limits.Rate > 0 && t.inHand(now).Cmp(big.NewRat(1, 1)) < 0
}

// due is when the next token is whole.
func (t *modelTenant) due() int64 {
	lacks := new(big.Rat).Sub(big.NewRat(1, 1), t.tokens)
	return t.metered + ceil(lacks.Mul(lacks, big.NewRat(t.limits.Period.Microseconds(), int64(t.limits.Rate))))
}

// spend takes that many tokens, or gives them back if less than none.
func (t *modelTenant) spend(tokens, now int64) {
	if t.limits.Rate == 0 {
		return
	}
	left := new(big.Rat).Sub(t.inHand(now), big.NewRat(tokens, 1))
	if left.Sign() < 0 {
		left = new(big.Rat)
	}
	t.tokens, t.metered = lesser(left, t.limits.Burst), now
}

// remeter takes the tokens in hand over to new limits, in whole parts of them.
func (t *modelTenant) remeter(limits fair.Limits, now int64) {
	switch {
	case limits.Rate == 0:
		return
	case t.limits.Rate == 0:
		t.tokens = big.NewRat(int64(limits.Burst), 1)
	default:
		parts := big.NewRat(limits.Period.Microseconds(), 1)
		parts.Mul(parts, t.inHand(now))
		whole := new(big.Int).Div(parts.Num(), parts.Denom())
		t.tokens = lesser(new(big.Rat).SetFrac(whole, big.NewInt(limits.Period.Microseconds())), limits.Burst)
	}
	t.metered = now
}

func lesser(x *big.Rat, bound int) *big.Rat {
	if most := big.NewRat(int64(bound), 1); x.Cmp(most) > 0 {
		return most
	}
	return x
}

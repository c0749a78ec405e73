package gcra

import "math/bits"

// Bucket is what there is in hand of a limit.
type Bucket struct {
	// Parts of tokens, as of Since.
	Parts int64
	// Since is in ticks.
	Since int64
}

// NewBucket returns a full one.
func NewBucket(now int64, l Limit) Bucket { return Bucket{Parts: l.Full(), Since: now} }

// Refill puts into the bucket what has come back by now. It is the same however
// often it is done; a time that has passed already changes nothing.
func (b *Bucket) Refill(now int64, l Limit) {
	passed := now - b.Since
	if passed < 0 {
		return
	}
	rate, missing := int64(l.Rate), l.Full()-b.Parts
	// The product of a long time and the rate would not fit.
	if passed > missing/rate {
		b.Parts = l.Full()
	} else {
		b.Parts += passed * rate
	}
	b.Since = now
}

// Due is when the bucket holds a token again, rounded up lest an act be early.
func (b *Bucket) Due(l Limit) int64 { return b.reaches(l.Token(), l) }

// reaches is when the bucket holds so many parts.
func (b *Bucket) reaches(parts int64, l Limit) int64 {
	rate := int64(l.Rate)
	return b.Since + (parts-b.Parts+rate-1)/rate
}

// Whole is how many tokens there are.
func (b *Bucket) Whole(l Limit) int64 { return b.Parts / l.Token() }

// Take takes so many tokens, or what there is of them.
func (b *Bucket) Take(tokens int64, l Limit) { b.Parts = max(0, b.Parts-tokens*l.Token()) }

// Return puts so many tokens back, as far as there is room.
func (b *Bucket) Return(tokens int64, l Limit) { b.Parts = min(l.Full(), b.Parts+tokens*l.Token()) }

// Convert takes the tokens in hand over to another limit, at most its burst of
// them. It makes none: whoever raises the burst waits for the rate to fill it.
func (b *Bucket) Convert(from, to Limit) {
	// The product needs more than 64 bits, the quotient does not: it is at most
	// the old burst in new parts.
	high, low := bits.Mul64(uint64(b.Parts), uint64(to.Token())) //nolint:gosec // neither is negative
	parts, _ := bits.Div64(high, low, uint64(from.Token()))      //nolint:gosec // likewise
	b.Parts = min(int64(parts), to.Full())                       //nolint:gosec // the product of two bounds, see above
}

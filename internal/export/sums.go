package export

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/feira-dev/feira/internal/usage"
)

// Sum is what somebody has of one unit of one meter of one tenant.
type Sum struct {
	Tenant string `json:"tenant"`
	Meter  string `json:"meter"`
	Unit   string `json:"unit"`
	// Count is of items; -1 where the other side does not count them.
	Count int64        `json:"count"`
	Total usage.Change `json:"total"`
}

// sumKey is what sums are told apart by.
type sumKey struct{ tenant, meter, unit string }

func (s Sum) key() sumKey { return sumKey{s.Tenant, s.Meter, s.Unit} }

func (k sumKey) compare(other sumKey) int {
	return cmp.Or(cmp.Compare(k.tenant, other.tenant), cmp.Compare(k.meter, other.meter), cmp.Compare(k.unit, other.unit))
}

// sums add items up.
type sums map[sumKey]Sum

func (s sums) add(key sumKey, change usage.Change) error {
	sum := s[key]
	sum.Tenant, sum.Meter, sum.Unit = key.tenant, key.meter, key.unit
	sum.Count++
	var err error
	sum.Total, err = sum.Total.Add(change)
	s[key] = sum
	return err
}

func (s sums) list() []Sum {
	return slices.SortedFunc(maps.Values(s), func(a, b Sum) int { return a.key().compare(b.key()) })
}

// sumsOf adds up what the ledger has of some numbers.
func sumsOf(ctx context.Context, source Source, filter usage.ItemFilter) ([]Sum, int64, error) {
	found := sums{}
	var count int64
	err := source.Items(ctx, filter, func(item usage.Item) error {
		count++
		return found.add(sumKey{string(item.Row.Tenant), string(item.Row.Meter), item.Unit}, item.Change)
	})
	return found.list(), count, err
}

// compare names what two sides say differently. A count of -1 is none.
func compare(ours, theirs []Sum) []Difference {
	var differences []Difference
	other := sums{}
	for _, sum := range theirs {
		other[sum.key()] = sum
	}
	for _, our := range ours {
		their, there := other[our.key()]
		delete(other, our.key())
		switch {
		case !there:
			differences = append(differences, Difference{Ours: our, Why: "they have nothing of it"})
		case our.Total != their.Total:
			differences = append(differences, Difference{Ours: our, Theirs: their, Why: "the totals differ"})
		case their.Count >= 0 && our.Count != their.Count:
			differences = append(differences, Difference{Ours: our, Theirs: their, Why: "the counts differ"})
		}
	}
	for _, their := range other.list() {
		differences = append(differences, Difference{Theirs: their, Why: "they have what the ledger has not told"})
	}
	return differences
}

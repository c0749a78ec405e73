package export

import (
	"context"

	"github.com/feira-dev/feira/internal/usage"
)

// windowed is an export of sums.
type windowed struct {
	export string
	sends  []usage.Send
	filter usage.ItemFilter
}

// checkWindows holds the items that an export of sums has taken against the sums
// that wait and those that left: not one unit may be in none of them, or in two.
func checkWindows(ctx context.Context, books Books, params windowed) ([]Difference, []Sum, error) {
	exports, err := books.Exports(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, export := range exports {
		if export.Name == params.export {
			params.filter.Through = export.Cursor
		}
	}
	ours, _, err := sumsOf(ctx, books, params.filter)
	if err != nil {
		return nil, nil, err
	}
	kept := sums{}
	windows, err := books.Windows(ctx, params.export)
	if err != nil {
		return nil, nil, err
	}
	for _, window := range windows {
		if err := kept.add(sumKey{string(window.Tenant), string(window.Meter), window.Unit}, window.Pending); err != nil {
			return nil, nil, err
		}
	}
	for _, send := range params.sends {
		if err := kept.add(sumKey{string(send.Tenant), string(send.Meter), send.Unit}, send.Value); err != nil {
			return nil, nil, err
		}
	}
	held := kept.list()
	for i := range held {
		held[i].Count = -1 // of sums, not of items
	}
	return compare(nonZero(ours), nonZero(held)), ours, nil
}

// nonZero leaves out what came to nothing: no window keeps it.
func nonZero(all []Sum) []Sum {
	var left []Sum
	for _, sum := range all {
		if !sum.Total.IsZero() {
			left = append(left, sum)
		}
	}
	return left
}

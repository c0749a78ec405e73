package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// CallSums counts the tool calls that a filter chooses, grouped by some names,
// see [usage.CanGroupBy], in the order of their values. Cursor and limit of the
// filter play no part.
func (l *Ledger) CallSums(ctx context.Context, filter usage.ToolCallFilter, by []string) ([]usage.CallSum, error) {
	filter.Cursor = ""
	where, err := callConditions(filter)
	if err != nil {
		return nil, fmt.Errorf("grouping tool calls: %w", err)
	}
	var columns, places []string
	var args []any
	for n, name := range by {
		column, arg := l.groupColumn(name)
		if column == "" {
			return nil, fmt.Errorf("grouping tool calls: by %q", name)
		}
		columns, places = append(columns, column), append(places, strconv.Itoa(n+1))
		args = append(args, arg...)
	}
	statement := l.dialect.bind("SELECT " + strings.Join(columns, ", ") + ", COUNT(*), SUM(billable), SUM(duration_ms) FROM usage_rows WHERE " +
		strings.Join(where.parts, " AND ") + " GROUP BY " + strings.Join(places, ", ") + " ORDER BY " + strings.Join(places, ", ") +
		" LIMIT " + strconv.Itoa(usage.MaxGroups))
	var sums []usage.CallSum
	err = l.list(ctx, filter.Tenant, statement, append(args, where.args...), func(found scanner) error {
		sum, err := scanCallSum(found, by)
		sums = append(sums, sum)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("grouping tool calls: %w", err)
	}
	slices.SortFunc(sums, compareSums(by))
	return sums, nil
}

func scanCallSum(found scanner, by []string) (usage.CallSum, error) {
	sum := usage.CallSum{By: make(map[string]string, len(by))}
	values := make([]string, len(by))
	targets := make([]any, 0, len(by)+3)
	for n := range values {
		targets = append(targets, &values[n])
	}
	var milliseconds int64
	err := found.Scan(append(targets, &sum.Calls, &sum.Billable, &milliseconds)...)
	for n, name := range by {
		sum.By[name] = strings.ReplaceAll(values[n], "\x00", "\uFFFD") // as Postgres says it
	}
	sum.Duration = time.Duration(milliseconds) * time.Millisecond
	return sum, err
}

// escapedNUL is a NUL in JSON, behind backslashes that are escaped themselves.
const escapedNUL = `(?<!\\)((?:\\\\)*)\\u0000`

// compareSums is the order of what calls are grouped by.
func compareSums(by []string) func(a, b usage.CallSum) int {
	return func(a, b usage.CallSum) int {
		for _, name := range by {
			if order := cmp.Compare(a.By[name], b.By[name]); order != 0 {
				return order
			}
		}
		return 0
	}
}

// groupColumn is the column of a name, with its argument if it has one. Metadata
// is a stranger's: Postgres reads no JSON with a NUL in it, and one tenant's must
// not keep the others' calls from being counted, so a NUL becomes U+FFFD.
func (l *Ledger) groupColumn(name string) (string, []any) {
	switch name {
	case usage.GroupTenant:
		return "tenant_id", nil
	case usage.GroupServer, usage.GroupTool, usage.GroupDay:
		return name, nil
	}
	key, metadata := strings.CutPrefix(name, usage.GroupMetadata)
	if !metadata || !usage.CanGroupBy(name) {
		return "", nil
	}
	if l.Engine() == "postgres" {
		return `COALESCE(regexp_replace(metadata, ?::text, '\1' || chr(65533), 'g')::json ->> ?::text, '') COLLATE "C"`, []any{escapedNUL, key}
	}
	return "COALESCE(json_extract(metadata, ?), '')", []any{`$."` + key + `"`}
}

package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

const (
	conflictHead    = "INSERT INTO usage_conflicts (tenant_id, source, event_id, hash, kept_hash, refused, recorded_at) "
	conflictColumns = 7
)

// insertConflicts keeps contradictions and returns how many were new.
func (b *booking) insertConflicts(ctx context.Context, conflicts []conflict) (int, error) {
	added := 0
	err := inChunks(conflicts, b.ledger.dialect.chunk(conflictColumns), func(chunk []conflict) error {
		args := make([]any, 0, len(chunk)*conflictColumns)
		for _, conflict := range chunk {
			refused, err := json.Marshal(conflict.Row)
			if err != nil {
				return fmt.Errorf("keeping conflicts: %w", err)
			}
			args = append(args, string(conflict.Tenant), conflict.Source, conflict.Event, conflict.hash[:], conflict.kept[:],
				string(refused), nanos(b.recordedAt))
		}
		statement := b.ledger.dialect.insert(conflictHead, conflictColumns, len(chunk), ifNew)
		inserted, err := affected(b.tx.ExecContext(ctx, statement, args...))
		if err != nil {
			return fmt.Errorf("keeping conflicts: %w", err)
		}
		added += inserted
		return nil
	})
	return added, err
}

// Conflicts lists a tenant's contradictions, the newest first; an empty tenant
// means all. Limit bounds the list, 0 is [usage.DefaultPage].
func (l *Ledger) Conflicts(ctx context.Context, tenant events.TenantID, limit int) ([]usage.Conflict, error) {
	statement := l.dialect.bind("SELECT tenant_id, source, event_id, hash, kept_hash, refused, recorded_at FROM usage_conflicts" +
		" WHERE ? IN ('', tenant_id) ORDER BY recorded_at DESC, tenant_id, source, event_id, hash LIMIT ?")
	var conflicts []usage.Conflict
	err := l.list(ctx, tenant, statement, []any{string(tenant), pageSize(limit)}, func(found scanner) error {
		var conflict usage.Conflict
		var refused string
		var hash, kept []byte
		var recordedAt int64
		err := found.Scan(&conflict.Tenant, &conflict.Source, &conflict.Event, &hash, &kept, &refused, &recordedAt)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(refused), &conflict.Row); err != nil {
			return err
		}
		conflict.Kept, conflict.Refused, conflict.RecordedAt = hashOf(kept), hashOf(hash), fromNanos(recordedAt)
		conflicts = append(conflicts, conflict)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing conflicts: %w", err)
	}
	return conflicts, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return usage.DefaultPage
	}
	return min(limit, usage.MaxPage)
}

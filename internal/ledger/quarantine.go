package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

const (
	rejectedHead    = "INSERT INTO usage_quarantine (digest, tenant_id, reason, detail, subject, header, data, sequence, received_at, recorded_at) "
	rejectedColumns = 10
)

// insertRejected keeps messages that cannot be booked and returns how many
// were new.
func (b *booking) insertRejected(ctx context.Context, rejected []usage.Rejected) (int, error) {
	added := 0
	err := inChunks(rejected, b.ledger.dialect.chunk(rejectedColumns), func(chunk []usage.Rejected) error {
		args := make([]any, 0, len(chunk)*rejectedColumns)
		for _, item := range chunk {
			header, err := json.Marshal(item.Message.Header)
			if err != nil {
				return fmt.Errorf("keeping rejected messages: %w", err)
			}
			digest := rejectedDigest(item.Message, header)
			args = append(args, digest[:], string(item.Tenant), string(item.Reason), item.Detail,
				encodedSubject(item.Message.Subject), string(header), nonNil(item.Message.Data),
				int64(item.Message.Sequence), nanos(item.Message.Time), nanos(b.recordedAt)) //nolint:gosec // a stream does not reach 2^63 messages
		}
		statement := b.ledger.dialect.insert(rejectedHead, rejectedColumns, len(chunk), ifNew)
		inserted, err := affected(b.tx.ExecContext(ctx, statement, args...))
		if err != nil {
			return fmt.Errorf("keeping rejected messages: %w", err)
		}
		added += inserted
		return nil
	})
	return added, err
}

// rejectedDigest tells a message delivered again from another one like it: the
// broker's sequence is part of it.
func rejectedDigest(message events.Message, header []byte) [sha256.Size]byte {
	hash := sha256.New()
	var scratch []byte
	for _, part := range [][]byte{[]byte(message.Subject), header, message.Data} {
		scratch = binary.AppendUvarint(scratch[:0], uint64(len(part)))
		hash.Write(scratch)
		hash.Write(part)
	}
	hash.Write(binary.AppendUvarint(scratch[:0], message.Sequence))
	return [sha256.Size]byte(hash.Sum(nil))
}

// encodedSubject is a subject as JSON text, which every database takes
// whatever the subject holds.
func encodedSubject(subject string) string {
	encoded, err := json.Marshal(subject)
	if err != nil {
		return `""` // no string fails to marshal
	}
	return string(encoded)
}

func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// Quarantine lists a tenant's messages that could not be booked, the newest
// first; an empty tenant means all, also those that name none. Limit bounds the
// list, 0 is [usage.DefaultPage].
func (l *Ledger) Quarantine(ctx context.Context, tenant events.TenantID, limit int) ([]usage.Quarantined, error) {
	statement := l.dialect.bind("SELECT tenant_id, reason, detail, subject, header, data, sequence, received_at, recorded_at FROM usage_quarantine" +
		" WHERE ? IN ('', tenant_id) ORDER BY recorded_at DESC, sequence, digest LIMIT ?")
	var kept []usage.Quarantined
	err := l.list(ctx, tenant, statement, []any{string(tenant), pageSize(limit)}, func(found scanner) error {
		item, err := scanQuarantined(found)
		kept = append(kept, item)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the quarantine: %w", err)
	}
	return kept, nil
}

// scanner is the part of a result that reads one row of it.
type scanner interface{ Scan(targets ...any) error }

func scanQuarantined(found scanner) (usage.Quarantined, error) {
	var item usage.Quarantined
	var subject, header string
	var sequence, receivedAt, recordedAt int64
	err := found.Scan(&item.Tenant, &item.Reason, &item.Detail, &subject, &header, &item.Message.Data, &sequence, &receivedAt, &recordedAt)
	if err != nil {
		return usage.Quarantined{}, err
	}
	if err := json.Unmarshal([]byte(subject), &item.Message.Subject); err != nil {
		return usage.Quarantined{}, err
	}
	if err := json.Unmarshal([]byte(header), &item.Message.Header); err != nil {
		return usage.Quarantined{}, err
	}
	item.Message.Sequence = uint64(sequence) //nolint:gosec // written from a uint64
	item.Message.Time, item.RecordedAt = fromNanos(receivedAt), fromNanos(recordedAt)
	return item, nil
}

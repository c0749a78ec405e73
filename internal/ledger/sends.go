package ledger

import (
	"context"
	"fmt"
	"strings"

	"github.com/feira-dev/feira/internal/usage"
)

const sendFields = "identifier, tenant_id, meter, unit, begins_at, ends_at, version, value, state, detail, tried_at"

// CutSend takes what waits in a window out of it as the window's next version,
// both or neither. name makes the version's identifier. Where another process
// has taken it, or where the window has changed since it was read, nothing
// happens.
func (l *Ledger) CutSend(ctx context.Context, export string, window usage.Window, name func(version int64) string) error {
	err := l.write(ctx, func(tx *transaction) error {
		statement := l.dialect.bind("UPDATE export_windows SET pending = '0', version = version + 1" +
			" WHERE name = ? AND tenant_id = ? AND meter = ? AND unit = ? AND begins_at = ? AND pending = ? AND version = ?")
		changed, err := affected(tx.ExecContext(ctx, statement, export, string(window.Tenant), string(window.Meter), window.Unit,
			nanos(window.Start), window.Pending.String(), window.Version))
		if err != nil || changed == 0 {
			return err
		}
		version := window.Version + 1
		insert := l.dialect.insert("INSERT INTO export_sends (name, "+sendFields+") ", 12, 1, "")
		_, err = tx.ExecContext(ctx, insert, export, name(version), string(window.Tenant), string(window.Meter), window.Unit,
			nanos(window.Start), nanos(window.End), version, window.Pending.String(), string(usage.SendReady), "", 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("cutting a window of %s: %w", export, err)
	}
	return nil
}

// Sends are what left the windows of an export, in the states that are asked
// for; all of them where none is.
func (l *Ledger) Sends(ctx context.Context, export string, states ...usage.SendState) (sends []usage.Send, err error) {
	statement := "SELECT " + sendFields + " FROM export_sends WHERE name = ?"
	args := []any{export}
	for _, state := range states {
		args = append(args, string(state))
	}
	if len(states) > 0 {
		statement += " AND state IN (?" + strings.Repeat(", ?", len(states)-1) + ")"
	}
	statement += " ORDER BY begins_at, tenant_id, meter, unit, version"
	err = l.list(ctx, everyTenant, l.dialect.bind(statement), args, func(found scanner) error {
		send, err := scanSend(found)
		sends = append(sends, send)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing sends of %s: %w", export, err)
	}
	return sends, nil
}

func scanSend(found scanner) (usage.Send, error) {
	var send usage.Send
	var start, end, triedAt int64
	var value []byte
	err := found.Scan(&send.Identifier, &send.Tenant, &send.Meter, &send.Unit, &start, &end, &send.Version, &value, &send.State, &send.Detail, &triedAt)
	if err != nil {
		return send, err
	}
	send.Start, send.End, send.TriedAt = fromNanos(start), fromNanos(end), fromNanos(triedAt)
	return send, send.Value.UnmarshalText(value)
}

// MarkSend says what became of a send, and when it was tried first.
func (l *Ledger) MarkSend(ctx context.Context, export string, send usage.Send) error {
	err := l.write(ctx, func(tx *transaction) error {
		statement := l.dialect.bind("UPDATE export_sends SET state = ?, detail = ?, tried_at = ? WHERE name = ? AND identifier = ?")
		_, err := tx.ExecContext(ctx, statement, string(send.State), send.Detail, nanos(send.TriedAt), export, send.Identifier)
		return err
	})
	if err != nil {
		return fmt.Errorf("marking %s of %s: %w", send.Identifier, export, err)
	}
	return nil
}

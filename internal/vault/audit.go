package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// AuditLog keeps a tenant's audit records in batches, in order, for good.
// Implementations are safe for concurrent use.
type AuditLog interface {
	// Last returns the last batch with its position, which is above 0; position
	// 0 and no error when there is none. It must not be stale.
	Last(ctx context.Context, tenant events.TenantID) (batch []byte, position uint64, err error)
	// Append stores a batch only if the last one is still at position after, 0
	// meaning that there is none; otherwise it fails and changes nothing.
	Append(ctx context.Context, tenant events.TenantID, batch []byte, after uint64) (position uint64, err error)
	// Read tells the batches in order, up to the last there was when it began.
	Read(ctx context.Context, tenant events.TenantID, each func(batch []byte) error) error
}

// Action is what was done with a tenant's keys.
type Action string

// Actions.
const (
	// ActionOpen decrypted a credential, to use it.
	ActionOpen Action = "open"
	// ActionRewrap decrypted a credential, to seal it with a newer key.
	ActionRewrap Action = "rewrap"
	// ActionRotate gives the tenant a new key.
	ActionRotate Action = "rotate"
	// ActionRekey puts the tenant's keyset under another KEK.
	ActionRekey Action = "rekey"
	// ActionShred destroyed the tenant's keyset.
	ActionShred Action = "shred"
)

// Outcomes of an action.
const (
	OutcomeDone = "done"
	// OutcomeRefused is a ciphertext that did not open: another tenant's, another
	// environment's, tampered with, or of a shredded keyset.
	OutcomeRefused = "refused"
)

// Purpose says why a credential is opened. It holds names, and no secret.
type Purpose struct {
	// Why is a word, as "tool call". Required.
	Why     string           `json:"why"`
	Session events.SessionID `json:"session,omitempty"`
	Request events.RequestID `json:"request,omitempty"`
	Tool    string           `json:"tool,omitempty"`
}

// maxPurpose bounds each word of a purpose, in bytes.
const maxPurpose = 128

func (p Purpose) check() error {
	if p.Why == "" {
		return fmt.Errorf("%w: purpose says no why", ErrInvalid)
	}
	for name, text := range map[string]string{
		"why": p.Why, "session": string(p.Session), "request": string(p.Request), "tool": p.Tool,
	} {
		if len(text) > maxPurpose {
			return fmt.Errorf("%w: purpose's %s has %d bytes, want at most %d", ErrInvalid, name, len(text), maxPurpose)
		}
	}
	return nil
}

// Record is one entry of a tenant's audit chain.
type Record struct {
	// N counts the tenant's records from 1.
	N uint64 `json:"n"`
	// Prev is the hash of the record before; empty in the first.
	Prev string `json:"prev"`
	// ID is random, and tells records of two processes apart that are equal in
	// all else: by it, a writer knows whether the batch that it meets is its own.
	ID          string             `json:"id"`
	Time        time.Time          `json:"time"`
	Tenant      events.TenantID    `json:"tenant"`
	Action      Action             `json:"action"`
	Outcome     string             `json:"outcome"`
	Server      string             `json:"server,omitempty"`
	Environment events.Environment `json:"environment,omitempty"`
	// Version is the credential's.
	Version uint64 `json:"version,omitempty"`
	// Key is the key of the keyset that was asked for, or is new.
	Key uint32 `json:"key,omitempty"`
	// KEK is the name of the one that a keyset goes under.
	KEK string `json:"kek,omitempty"`
	// Actor is the process.
	Actor string `json:"actor"`

	Purpose Purpose `json:"purpose"`
}

// link is the end of a chain: the number and hash of its last record, and the
// position of the batch that holds it.
type link struct {
	n        uint64
	hash     string
	position uint64
}

// extend lays records out as a batch that goes on from here: a line each, its
// SHA-256 and then the record as that was taken of it, so that any tool can
// check it and no field added later changes what an old line hashes to.
func (l link) extend(records []Record) (batch []byte, next link, err error) {
	var text bytes.Buffer
	for _, record := range records {
		record.N, record.Prev = l.n+1, l.hash
		line, err := json.Marshal(record)
		if err != nil {
			return nil, link{}, fmt.Errorf("laying out audit record: %w", err)
		}
		l.n, l.hash = record.N, hashOf(line)
		fmt.Fprintf(&text, "%s %s\n", l.hash, line)
	}
	return text.Bytes(), l, nil
}

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// parseLine reads one line of a batch, and holds it to its own hash.
func parseLine(line []byte) (Record, string, error) {
	hash, text, found := bytes.Cut(line, []byte(" "))
	if !found || hashOf(text) != string(hash) {
		return Record{}, "", fmt.Errorf("%w: a record does not have the hash that is beside it", ErrBroken)
	}
	var record Record
	if err := json.Unmarshal(text, &record); err != nil {
		return Record{}, "", fmt.Errorf("%w: a record cannot be read", ErrBroken)
	}
	return record, string(hash), nil
}

// lastLink is the end of a chain whose last batch this is.
func lastLink(batch []byte, position uint64) (link, error) {
	if position == 0 {
		return link{}, nil
	}
	lines := bytes.Split(bytes.TrimSuffix(batch, []byte("\n")), []byte("\n"))
	record, hash, err := parseLine(lines[len(lines)-1])
	if err != nil {
		return link{}, err
	}
	return link{n: record.N, hash: hash, position: position}, nil
}

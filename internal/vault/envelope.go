package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/feira-dev/feira/events"
)

const (
	// bareEnvelope is the form that had nothing around Tink's own.
	bareEnvelope   = 1
	envelopeFormat = 2
)

// envelope is a tenant's keyset as it lies in the store. What is readable in it
// is authenticated with the keyset, but for the KEK's name, which is a hint.
type envelope struct {
	Format int `json:"v"`
	// Generation counts the shreddings before this keyset was made.
	Generation uint64 `json:"generation"`
	// RotatedAt is when the primary key was made.
	RotatedAt time.Time `json:"rotated_at"`
	KEK       string    `json:"kek"`
	Keyset    []byte    `json:"keyset"`
}

func (e envelope) associatedData(tenant events.TenantID) []byte {
	if e.Format == bareEnvelope {
		return []byte("v1|keyset|" + string(tenant))
	}
	return []byte(strings.Join([]string{
		"v" + strconv.Itoa(e.Format), "keyset", string(tenant),
		strconv.FormatUint(e.Generation, 10), strconv.FormatInt(e.RotatedAt.UnixNano(), 10),
	}, "|"))
}

// wrap seals a keyset under a KEK and lays it out for the store.
func (e envelope) wrap(ctx context.Context, tenant events.TenantID, handle *keyset.Handle, kek KEK) ([]byte, error) {
	e.Format, e.KEK = envelopeFormat, kek.Name
	var sealed bytes.Buffer
	if err := handle.WriteWithContext(ctx, keyset.NewBinaryWriter(&sealed), kek.Key, e.associatedData(tenant)); err != nil {
		return nil, fmt.Errorf("sealing keyset: %w: %s: %w", ErrKEK, kek.Name, err)
	}
	e.Keyset = sealed.Bytes()
	return json.Marshal(e)
}

// parseEnvelope reads what lies in the store. Tink's own form never begins as
// JSON does.
func parseEnvelope(value []byte) (envelope, error) {
	if !bytes.HasPrefix(value, []byte("{")) {
		return envelope{Format: bareEnvelope, Keyset: value}, nil
	}
	var read envelope
	if err := json.Unmarshal(value, &read); err != nil {
		return envelope{}, fmt.Errorf("%w: the keyset cannot be read", ErrSealed)
	}
	if read.Format != envelopeFormat {
		return envelope{}, fmt.Errorf("%w: the keyset has format %d", ErrSealed, read.Format)
	}
	return read, nil
}

// unwrap opens the keyset, and says which KEK did.
func (e envelope) unwrap(ctx context.Context, tenant events.TenantID, keks ring) (*keyset.Handle, KEK, error) {
	for _, kek := range keks.order(e.KEK) {
		handle, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(e.Keyset)), kek.Key, e.associatedData(tenant))
		if err == nil {
			return handle, kek, nil
		}
	}
	if ctx.Err() != nil {
		return nil, KEK{}, fmt.Errorf("opening keyset: %w", context.Cause(ctx))
	}
	return nil, KEK{}, keks.why(ctx, e.KEK)
}

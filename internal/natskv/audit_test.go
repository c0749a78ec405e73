package natskv_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
)

// auditPort is internal/vault's AuditLog, word for word.
type auditPort interface {
	Last(ctx context.Context, tenant events.TenantID) (batch []byte, position uint64, err error)
	Append(ctx context.Context, tenant events.TenantID, batch []byte, after uint64) (position uint64, err error)
	Read(ctx context.Context, tenant events.TenantID, each func(batch []byte) error) error
}

func openAudit(t *testing.T, b *bench) *natskv.AuditLog {
	t.Helper()
	client := b.client(t, "")
	require.NoError(t, client.ProvisionAudit(t.Context(), natskv.AuditConfig{}))
	log, err := client.Audit(t.Context())
	require.NoError(t, err)
	return log
}

func TestAuditAppendsInOrder(t *testing.T) {
	t.Parallel()
	log := openAudit(t, setup(t))
	var _ auditPort = log
	ctx := t.Context()
	batch, position, err := log.Last(ctx, "acme")
	require.NoError(t, err)
	require.Zero(t, position)
	require.Empty(t, batch)
	require.NoError(t, log.Read(ctx, "acme", func([]byte) error { return errors.New("there is nothing") }))

	_, err = log.Append(ctx, "acme", []byte("x"), 7)
	require.ErrorIs(t, err, natskv.ErrConflict, "there is no position 7")
	first, err := log.Append(ctx, "acme", []byte("one"), 0)
	require.NoError(t, err)
	_, err = log.Append(ctx, "acme", []byte("x"), 0)
	require.ErrorIs(t, err, natskv.ErrConflict, "there is one already")
	_, err = log.Append(ctx, "loja", []byte("other"), 0)
	require.NoError(t, err, "each tenant has an end of its own")
	second, err := log.Append(ctx, "acme", []byte("two"), first)
	require.NoError(t, err)
	require.Greater(t, second, first)
	_, err = log.Append(ctx, "acme", []byte("x"), first)
	require.ErrorIs(t, err, natskv.ErrConflict, "it has moved on")
	batch, position, err = log.Last(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, "two", string(batch))
	require.Equal(t, second, position)

	var read []string
	require.NoError(t, log.Read(ctx, "acme", func(batch []byte) error { read = append(read, string(batch)); return nil }))
	require.Equal(t, []string{"one", "two"}, read)
	stop := errors.New("stop")
	require.ErrorIs(t, log.Read(ctx, "acme", func([]byte) error { return stop }), stop)
	tenants, err := log.Tenants(ctx)
	require.NoError(t, err)
	require.Equal(t, []events.TenantID{"acme", "loja"}, tenants)
}

func TestAuditOneRivalWins(t *testing.T) {
	t.Parallel()
	log := openAudit(t, setup(t))
	var won atomic.Int64
	var rivals sync.WaitGroup
	for i := range 8 {
		rivals.Go(func() {
			if _, err := log.Append(t.Context(), "acme", []byte(strconv.Itoa(i)), 0); err == nil {
				won.Add(1)
			}
		})
	}
	rivals.Wait()
	require.Equal(t, int64(1), won.Load())
}

func TestAuditCannotBeDeletedFrom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := openAudit(t, b)
	position, err := log.Append(t.Context(), "acme", []byte("one"), 0)
	require.NoError(t, err)
	stream, err := b.js.Stream(t.Context(), events.StreamAudit)
	require.NoError(t, err)
	require.Error(t, stream.DeleteMsg(t.Context(), position))
	require.Error(t, stream.Purge(t.Context()))
	config := stream.CachedInfo().Config
	config.DenyDelete, config.DenyPurge = false, false
	_, err = b.js.UpdateStream(t.Context(), config)
	require.Error(t, err, "nor can that be taken back")
	_, position, err = log.Last(t.Context(), "acme")
	require.NoError(t, err)
	require.NotZero(t, position)
}

func TestAuditIsMadeOnceAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.client(t, "")
	_, err := client.Audit(t.Context())
	require.ErrorIs(t, err, natskv.ErrNoStream)
	var makers sync.WaitGroup
	faults := make([]error, 4)
	for i := range faults {
		makers.Go(func() { faults[i] = client.ProvisionAudit(t.Context(), natskv.AuditConfig{Age: 48 * time.Hour}) })
	}
	makers.Wait()
	require.NoError(t, errors.Join(faults...))
	require.NoError(t, client.ProvisionAudit(t.Context(), natskv.AuditConfig{Age: 24 * time.Hour}))
	stream, err := b.js.Stream(t.Context(), events.StreamAudit)
	require.NoError(t, err)
	config := stream.CachedInfo().Config
	require.Equal(t, 48*time.Hour, config.MaxAge)
	require.Equal(t, jetstream.FileStorage, config.Storage)
	require.EqualValues(t, -1, config.MaxMsgsPerSubject)
}

func TestAuditSaysWhenTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.client(t, "")
	require.NoError(t, client.ProvisionAudit(t.Context(), natskv.AuditConfig{}))
	log, err := client.Audit(t.Context())
	require.NoError(t, err)
	client.Close()
	_, _, err = log.Last(t.Context(), "acme")
	require.Error(t, err)
	_, err = log.Append(t.Context(), "acme", []byte("x"), 0)
	require.Error(t, err)
	require.NotErrorIs(t, err, natskv.ErrConflict, "a failure is no lost race")
	require.Error(t, log.Read(t.Context(), "acme", func([]byte) error { return nil }))
	_, err = log.Tenants(t.Context())
	require.Error(t, err)
}

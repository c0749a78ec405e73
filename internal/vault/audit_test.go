package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestEveryDecryptionIsOnRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "CANARY-1")
	b.put(t, "loja", "CANARY-2")
	why := Purpose{Why: "tool call", Session: "s1", Request: "r1", Tool: "stripe__charge"}
	_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, why)
	require.NoError(t, err)
	b.store.plant("acme.cred.stripe.live", b.store.value("acme.cred.stripe.test"))
	_, err = b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentLive, why)
	require.ErrorIs(t, err, ErrSealed)
	_, err = b.vault.Open(t.Context(), "acme", "asaas", events.EnvironmentLive, why)
	require.ErrorIs(t, err, ErrNoCredential, "nothing was decrypted, and nothing is on record")
	_, err = b.vault.Rotate(t.Context(), "acme")
	require.NoError(t, err)
	b.shred(t, "acme")

	key := b.log.records(t, "acme")[0].Key
	require.NotZero(t, key)
	base := Record{Time: b.now, Tenant: "acme", Actor: "feira"}
	want := []Record{}
	for _, change := range []func(*Record){
		func(r *Record) {
			r.Action, r.Outcome, r.Server, r.Environment, r.Version, r.Key, r.Purpose = ActionOpen, OutcomeDone, "stripe", "test", 1, key, why
		},
		func(r *Record) {
			r.Action, r.Outcome, r.Server, r.Environment, r.Version, r.Key, r.Purpose = ActionOpen, OutcomeRefused, "stripe", "live", 1, key, why
		},
		func(r *Record) { r.Action, r.Outcome, r.Purpose = ActionRotate, OutcomeDone, Purpose{Why: "rotate"} },
		func(r *Record) {
			r.Action, r.Outcome, r.Server, r.Environment, r.Version, r.Key = ActionRewrap, OutcomeRefused, "stripe", "live", 1, key
			r.Purpose = Purpose{Why: "rotate"}
		},
		func(r *Record) {
			r.Action, r.Outcome, r.Server, r.Environment, r.Version, r.Key = ActionRewrap, OutcomeDone, "stripe", "test", 1, key
			r.Purpose = Purpose{Why: "rotate"}
		},
		func(r *Record) { r.Action, r.Outcome, r.Purpose = ActionShred, OutcomeDone, Purpose{Why: "shred"} },
	} {
		record := base
		record.N = uint64(len(want)) + 1
		change(&record)
		want = append(want, record)
	}
	got := b.log.records(t, "acme")
	require.NotZero(t, got[2].Key, "the new key")
	want[2].Key = got[2].Key
	require.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreFields(Record{}, "Prev", "ID")))
	require.Empty(t, b.log.records(t, "loja"))
	require.NotContains(t, b.log.text(), "CANARY")
}

func TestWithoutItsRecordNothingIsHandedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "CANARY")
	b.log.fail = errors.New("broker is away")
	opened, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrAudit)
	require.ErrorIs(t, err, b.log.fail)
	require.Empty(t, opened.Fields())
	require.NotContains(t, err.Error(), "CANARY")
	old := b.keyOf(t, "acme.cred.stripe.test")
	_, err = b.vault.Rotate(t.Context(), "acme")
	require.ErrorIs(t, err, ErrAudit)
	require.Equal(t, old, b.keyOf(t, "acme.cred.stripe.test"))
	b.log.fail = nil
	requireOpens(t, b.vault, "acme", "CANARY")
	require.Len(t, b.log.records(t, "acme"), 1)
}

// An append that does not come back is given up after a while, and one that
// was stored although its answer was lost counts as stored.
func TestTheAuditIsWaitedForWithinBounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.log.lose = context.DeadlineExceeded
	requireOpens(t, b.vault, "acme", "secret-a")
	require.Len(t, b.log.records(t, "acme"), 1)
	b.log.lose = nil

	release := make(chan struct{})
	b.log.before = func(events.TenantID) { <-release }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	opened, err := b.vault.Open(ctx, "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrAudit)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, opened.Fields())
	close(release)
	requireOpens(t, b.vault, "acme", "secret-a")
}

// Decryptions at one time share appends, in one process and across processes,
// and none is left out of the chain.
func TestRecordsAreBatchedAndNoneIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	const vaults, each = 4, 100
	arrived := make(chan struct{}, vaults*each)
	var gate sync.Once
	b.log.before = func(events.TenantID) { gate.Do(func() { <-arrived }) } // the first waits for company
	var group sync.WaitGroup
	faults := make(chan error, vaults*each)
	for range vaults {
		made := b.another(t)
		for i := range each {
			group.Go(func() {
				arrived <- struct{}{}
				_, err := made.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, Purpose{Why: strconv.Itoa(i)})
				faults <- err
			})
		}
	}
	group.Wait()
	close(faults)
	for err := range faults {
		require.NoError(t, err)
	}
	records := b.log.records(t, "acme")
	require.Len(t, records, vaults*each)
	seen := map[string]int{}
	for _, record := range records {
		seen[record.Purpose.Why]++
	}
	for i := range each {
		require.Equal(t, vaults, seen[strconv.Itoa(i)])
	}
	require.Less(t, len(b.log.batches["acme"]), vaults*each, "at least some shared an append")
}

func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	audit := &auditor{waiting: map[events.TenantID][]waiter{"acme": make([]waiter, maxBatch+1)}}
	require.Len(t, audit.take("acme"), maxBatch)
	require.Len(t, audit.take("acme"), 1)
	require.Empty(t, audit.take("acme"))
	require.Empty(t, audit.waiting)
}

// TestABrokenChainIsFound does to a chain what a forger would.
func TestABrokenChainIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.put(t, "loja", "secret-a")
	for range 4 {
		requireOpens(t, b.vault, "acme", "secret-a")
	}
	requireOpens(t, b.vault, "loja", "secret-a")
	whole := b.log.batches["acme"]
	require.Len(t, whole, 4)
	noted, err := Verify(t.Context(), b.log, "acme", "", nil)
	require.NoError(t, err)
	require.Equal(t, Chain{Tenant: "acme", First: 1, Last: 4, Head: noted.Head}, noted)

	honest := func(line []byte) []byte { // with the hash that it should have
		_, text, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		return fmt.Appendf(nil, "%s %s\n", hashOf(text), text)
	}
	edit := func(line []byte, from, to string) []byte {
		require.True(t, bytes.Contains(line, []byte(from)))
		return bytes.Replace(line, []byte(from), []byte(to), 1)
	}
	for name, chain := range map[string][][]byte{
		"a changed record":                {whole[0], edit(whole[1], `"test"`, `"nice"`), whole[2], whole[3]},
		"a changed record, hashed anew":   {whole[0], honest(edit(whole[1], `"done"`, `"nice"`)), whole[2], whole[3]},
		"the last changed":                {whole[0], whole[1], whole[2], edit(whole[3], `"done"`, `"nice"`)},
		"one taken out":                   {whole[0], whole[2], whole[3]},
		"two exchanged":                   {whole[0], whole[2], whole[1], whole[3]},
		"one twice":                       {whole[0], whole[1], whole[1], whole[2], whole[3]},
		"another tenant's":                {b.log.batches["loja"][0]},
		"garbage":                         {[]byte("garbage\n")},
		"a first that names one before":   {honest(edit(whole[0], `"prev":""`, `"prev":"00"`))},
		"one numbered falsely":            {whole[0], honest(edit(whole[1], `"n":2`, `"n":7`))},
		"numbered on, but of another one": {whole[0], honest(edit(whole[1], `"prev":"`, `"prev":"0`))},
	} {
		forged := newMemoryLog()
		forged.batches["acme"] = chain
		_, err := Verify(t.Context(), forged, "acme", "", nil)
		require.ErrorIs(t, err, ErrBroken, name)
	}

	// What a chain alone cannot show, a noted head does.
	cut := newMemoryLog()
	cut.batches["acme"] = whole[:3]
	_, err = Verify(t.Context(), cut, "acme", "", nil)
	require.NoError(t, err)
	_, err = Verify(t.Context(), cut, "acme", noted.Head, nil)
	require.ErrorIs(t, err, ErrBroken)
	aged := newMemoryLog()
	aged.batches["acme"] = whole[2:]
	kept, err := Verify(t.Context(), aged, "acme", noted.Head, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, kept.First, "older records have been let go")

	// A broken end is not built upon.
	b.log.batches["acme"] = [][]byte{[]byte("garbage\n")}
	_, err = b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrBroken)
}

// Two processes that record the same at one place are two records.
func TestAnEqualRecordOfAnotherIsNotTakenForOnesOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	rival := b.another(t)
	b.log.before = func(events.TenantID) {
		b.log.before = nil
		requireOpens(t, rival, "acme", "secret-a")
	}
	requireOpens(t, b.vault, "acme", "secret-a")
	require.Len(t, b.log.records(t, "acme"), 2)
}
